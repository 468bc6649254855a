"""What of this folder is installed, under which name, and what is told of the rest."""

import pytest

from masksolve.bench import MOVED

from .processes import ROOT, python


def test_everything_is_installed_but_the_experiments():
    pytest.importorskip("setuptools")
    code = """
import setuptools
from distutils.core import run_setup
found = run_setup("setup.py", stop_after="init")
print(*found.packages, found.package_dir["masksolve.bench"])
"""
    status, told, errors = python("-c", code)
    assert status == 0, errors
    *packages, folder = told.split()
    files = [*ROOT.glob("masksolve/**/*.py"), *ROOT.glob("bench/**/*.py")]
    folders = {file.parent.relative_to(ROOT).as_posix() for file in files}
    installed = {name for name in folders if not name.startswith("bench/experiments")}
    names = {name.replace("bench", "masksolve/bench", 1).replace("/", ".") for name in installed}
    assert (sorted(packages), folder) == (sorted(names), "bench")


@pytest.mark.parametrize("what", ["import bench.contestants", "from bench import contestant"])
def test_a_second_registry_is_refused(what):
    code, _, errors = python("-c", what)
    said = "bench.registry is masksolve.bench.registry: import masksolve.bench instead"
    assert (code, errors.splitlines()[-1]) == (1, f"ImportError: {said}")


@pytest.mark.parametrize("old", MOVED)
def test_old_names_say_where_it_went(old):
    code, _, errors = python("-m", f"masksolve.bench.{old}")
    assert (code, errors.count("\n")) == (1, 1)
    assert f"expected, in a checkout, python -m bench.experiments {MOVED[old]})" in errors
