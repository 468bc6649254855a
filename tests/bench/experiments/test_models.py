"""Both ways of every architecture: small models, what differs, and the page that says so."""

import os
import time

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5")
pytest.importorskip("matplotlib")

from masksolve.bench.experiments.models import experiment
from masksolve.bench.experiments.models.apart import Aside
from masksolve.bench.experiments.models.differences import general, starred
from masksolve.bench.experiments.models.explained import EXPLAINED
from masksolve.bench.experiments.models.reader import UNEXPLAINED, Reader
from masksolve.bench.experiments.models.shrink import shrunk
from masksolve.bench.experiments.models.ways import compare
from masksolve.bench.experiments.models.zoo import Architecture, architectures

from . import helpers

PATH = helpers.RESULTS / "models.json"


@pytest.fixture(scope="module")
def found():
    return helpers.load("models", PATH)


@pytest.fixture(scope="module")
def zoo():
    return {one.model_type: one for one in architectures()}


@pytest.mark.parametrize("name", ["gpt2", "mixtral"])
def test_the_whole_way_of_a_small_model(zoo, name):
    run = compare(zoo[name], ("2:4,plain",))
    assert (run["made"], run["why"], run["experts"]) == ("narrow", "", name == "mixtral")
    outcome = run["outcomes"]["2:4,plain"]
    assert outcome["masked"] == {"gpt2": 16, "mixtral": 24}[name]
    assert all(outcome[question] for question in ("same", "loads", "obeys"))
    assert outcome["module_share"] == outcome["file_share"] > 0.8
    assert outcome["differences"] == outcome["broken"] == []


def test_what_cannot_be_made_is_said(zoo):
    unknown = Architecture("gpt2", "decoder", "NoSuchModel")
    run = compare(unknown, ("4:8",))
    assert "NoSuchModel" in run["why"]
    assert run["outcomes"] == {}


def test_sizes_are_small_wherever_they_stand():
    words = {"vocab_size": 50000, "pad_token_id": 49999, "layer_types": ["a"] * 32}
    whole = {"hidden_size": 4096, "num_hidden_layers": 32, **words, "id2label": {0: "a"}}
    small = shrunk({"text_config": whole, "depths": [2, 18]}, "narrow", {"hidden_size": 48})
    assert small["depths"] == [1, 1]
    assert small["text_config"] == {
        "hidden_size": 48,
        "num_hidden_layers": 4,
        "vocab_size": 488,
        "pad_token_id": 49999 % 488,
        "layer_types": ["a"] * 4,
        "id2label": {0: "a"},
    }


def test_layers_alike_have_one_name():
    assert starred("layers.0.mlp.11.w2.weight") == "layers.*.mlp.*.w2.weight"


def test_what_takes_too_long_or_dies_is_ended_and_the_next_goes_on():
    aside = Aside()
    try:
        assert aside.call(time.sleep, 60, seconds=0.2) == (None, "no answer within 0.2 s")
        assert aside.call(os._exit, 3, seconds=60) == (None, "the process died with exit code 3")
        with pytest.raises(ValueError, match="invalid literal"):
            aside.call(int, "x", seconds=60)
        assert aside.call(abs, -2, seconds=60) == (2, "")
    finally:
        aside.close()


def test_there_are_enough_architectures(found):
    reader = Reader(found)
    kinds = [run["kind"] for run in reader.compared]
    assert len(kinds) >= 40
    assert sum(run["experts"] for run in reader.compared) >= 8
    assert {"encoder", "seq2seq", "vision", "decoder", "speech"} <= set(kinds)
    assert all(run["why"] for run in reader.unmade)


def test_no_no_without_a_sentence(found):
    reader = Reader(found)
    assert not experiment.wrong(reader)
    said = set(reader.sentences())
    assert {one.sentence for one in EXPLAINED} <= said, "an explanation of nothing"


def test_a_no_without_a_sentence_fails(found):
    difference = {
        "name": "a.weight",
        "module": "Linear",
        "count": 1,
        "chosen_by": "both",
        "why": "",
    }
    outcome = {"same": False, "loads": True, "obeys": True, "differences": [difference]}
    outcome |= {"broken": [], "skipped": {}}
    run = {"model_type": "made_up", "kind": "decoder", "why": "", "outcomes": {"4:8": outcome}}
    reader = Reader({"settings": {"patterns": ["4:8"]}, "runs": [run]})
    assert reader.sentences() == {UNEXPLAINED: ["made_up"]}
    assert experiment.wrong(reader) == "nothing explains where made_up differ"
    difference |= {"chosen_by": "module", "why": general("it is 3 wide: really")}
    said = Reader(reader.found).sentences()
    assert said == {"Passed over by the file way alone: it is N wide.": ["made_up"]}


def test_the_page_in_the_docs_says_what_its_figures_say(found):
    path = helpers.RESULTS.parent / "models.md"
    page = helpers.filled("models", found, path, "results")
    assert page.text() == path.read_text(encoding="utf-8")
