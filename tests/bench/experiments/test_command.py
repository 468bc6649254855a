"""One command for all experiments, from a checkout, in which nothing is there twice."""

import sys
import sysconfig

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy.stats")  # its import fails where torch is hidden

from masksolve.bench.experiments import command
from masksolve.bench.pages.words import listing
from masksolve.bench.step_cost.tables import read

from ..processes import ROOT, python
from . import helpers

NAMES = "adaprune, diversity, dst, filters, models, training and zeros"


@pytest.mark.parametrize(
    ("arguments", "says"), [([], "expected"), (["WRONG"], "there is no experiment WRONG: expected")]
)
def test_whoever_names_none_is_told_the_known_ones(arguments, says):
    usage = "python -m bench.experiments NAME [options]"
    expected = f"{says} {usage}, one of {NAMES}\n"
    assert python("-m", "bench.experiments", *arguments) == (2, "", expected)


def test_help_says_what_they_do(capsys):
    assert command.main(["--help"]) == 0
    told = capsys.readouterr().out
    assert listing(command.EXPERIMENTS) == NAMES
    assert all(f"{name:10} {what}" in told for name, what in command.EXPERIMENTS.items())


ALONE = """
import runpy, sys
sys.argv = ["", "dst", "--read", "docs/results/dst.json", "--page", "{page}"]
try:
    runpy.run_module("bench.experiments", run_name="__main__")
except SystemExit as stop:
    assert stop.code == 0, stop.code
files = [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)]
twice = sorted({{file for file in files if "/bench/" in file and files.count(file) > 1}})
print(sorted(name for name in sys.modules if name.split(".")[0] == "bench"), twice, sep="; ")
"""


def test_nothing_but_the_door_is_there_twice(tmp_path):
    code, told, errors = python("-c", ALONE.format(page=tmp_path / "page.md"))
    assert (code, errors) == (0, "")
    door = [str(ROOT / "bench" / name) for name in ("__init__.py", "experiments/__init__.py")]
    assert told.splitlines()[-1] == f"{['bench', 'bench.experiments']}; {door}"


def test_a_checkout_that_is_not_installed_is_told_to_be():
    packages = sysconfig.get_path("purelib")  # without what -S leaves out: editable installs
    code, _, errors = python("-S", "-m", "bench.experiments", "dst", PYTHONPATH=packages)
    assert (code, errors.count("\n")) == (2, 1)
    assert "there is no module masksolve.bench: expected this checkout to be installed" in errors


def test_what_an_experiment_needs_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in list(sys.modules):
        if name.startswith("masksolve.bench.experiments.dst"):
            monkeypatch.delitem(sys.modules, name)
    assert command.main(["dst"]) == 2
    assert capsys.readouterr().err == "the experiment dst needs torch: not installed\n"


@pytest.mark.parametrize("name", ["adaprune", "dst", "filters", "training"])
def test_a_page_in_the_docs_says_what_its_figures_say(name):
    files = {"step": read(helpers.RESULTS / "step.json")} if name == "training" else {}
    found = helpers.load(name, helpers.RESULTS / f"{name}.json")
    page = helpers.filled(name, found, helpers.RESULTS / f"{name}.md", helpers.RESULTS, **files)
    assert page.text() == (helpers.RESULTS / f"{name}.md").read_text(encoding="utf-8")
