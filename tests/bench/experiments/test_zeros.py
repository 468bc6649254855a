"""What becomes of zeros: conversions that keep or lose them, tools that are missing, the page."""

import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("scipy.stats")
pytest.importorskip("matplotlib")

from masksolve.bench.experiments.zeros.measure import convert, measured
from masksolve.bench.experiments.zeros.pruned import Pruned
from masksolve.bench.experiments.zeros.reader import Reader
from masksolve.bench.experiments.zeros.ways import PACKAGES, WAYS

from . import helpers

PATH = helpers.RESULTS / "zeros.json"
KEPT = [
    "torch: bfloat16",
    "torch: float8_e4m3fn, a scale",
    "torch: batch norm folded in",
    "torch: 8 bits, whole zero points",
    "GPTQ's rounding, mask held",
    "torch: averaged, one mask",
    "masksolve: AdamW, static mask",
    "masksolve: Muon, static mask",
]
BROKEN = [
    "torch: 4 bits, real zero points",
    "GPTQ's rounding, 4 bits",
    "torch: averaged, mask renewed",
    "torch: AdamW, no mask",
]


@pytest.fixture(scope="module")
def found():
    return helpers.load("zeros", PATH)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        *((name, "valid") for name in [*KEPT, "torch: averaged, mask renewed, solved anew"]),
        *((name, "broken") for name in BROKEN),
        ("torch: rotated and rotated back", "nearly"),
    ],
)
def test_what_torch_alone_makes_of_zeros(found, name, verdict):
    run = convert(name, 16, 32, 0)
    assert (run["why"], run["zeros"]["verdict"]) == ("", verdict)
    assert (run["zeros"]["lost"] == 0) == (name in KEPT)
    assert Reader(found).outcomes[name].verdict == verdict


def test_zeros_are_counted():
    pruned = Pruned.draw(8, 8, 0)
    weight = pruned.weight.clone()
    assert measured(pruned, weight)["lost"] == measured(pruned, weight)["error"] == 0
    row, column = (~pruned.mask).nonzero()[0].tolist()
    weight[row, column] = -weight.abs().max() / 2
    zeros = measured(pruned, weight)
    assert (zeros["verdict"], zeros["largest"]) == ("broken", 0.5)
    assert zeros["lost"] == round(1 / 32, 5)
    assert zeros["over"] == round(2 / 32, 4)  # a row and a column


def test_what_is_missing_or_refuses_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hqq", None)
    run = convert("HQQ: 4 bits, its configuration", 16, 32, 0)
    assert "hqq" in run["why"]
    assert run["why"].endswith("is not installed")
    assert run["zeros"] is None

    def refuse(pruned):
        raise RuntimeError("not\n on this machine")

    monkeypatch.setitem(WAYS, "broken", type(next(iter(WAYS.values())))("Quantisers", refuse))
    assert convert("broken", 16, 32, 0)["why"] == "RuntimeError: not on this machine"
    reader = Reader({"runs": [run]})
    assert not reader.outcomes
    assert reader.passed_over["HQQ: 4 bits, its configuration"] == run["why"]
    assert reader.passed_over["broken"] == "not run"


def test_the_worst_of_all_seeds_counts(found):
    name = "torch: bfloat16"
    runs = [dict(run) for run in found["runs"] if run["way"] == name]
    runs[1] |= {"zeros": runs[1]["zeros"] | {"lost": 0.25, "verdict": "broken"}}
    one = Reader({"runs": runs}).outcomes[name]
    assert (one.lost, one.verdict, one.kept) == (0.25, "broken", False)


def test_every_tool_was_asked_and_its_version_is_named(found):
    assert set(Reader(found).outcomes) | set(Reader(found).passed_over) == set(WAYS)
    assert len(Reader(found).outcomes) >= 40
    assert len(found["versions"]) == len(PACKAGES)


def test_the_page_in_the_docs_says_what_its_figures_say(found):
    path = helpers.RESULTS.parent / "zeros.md"
    assert helpers.filled("zeros", found, path).text() == path.read_text(encoding="utf-8")
