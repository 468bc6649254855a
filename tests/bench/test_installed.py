"""What of this folder is installed, under which name, and what is told of the rest."""

import tomllib

import pytest

from .processes import ROOT, python


def test_everything_is_installed_but_the_experiments():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    files = [*ROOT.glob("masksolve/**/*.py"), *ROOT.glob("bench/**/*.py")]
    folders = {file.parent.relative_to(ROOT).as_posix() for file in files}
    names = {name for name in folders if not name.startswith("bench/experiments")}
    expected = {name.replace("bench", "masksolve/bench", 1).replace("/", ".") for name in names}
    assert settings["packages"] == sorted(expected)
    assert settings["package-dir"] == {"masksolve.bench": "bench"}


@pytest.mark.parametrize("what", ["import bench.contestants", "from bench import contestant"])
def test_a_second_registry_is_refused(what):
    code, _, errors = python("-c", what)
    said = "bench.registry is masksolve.bench.registry: import masksolve.bench instead"
    assert (code, errors.splitlines()[-1]) == (1, f"ImportError: {said}")
