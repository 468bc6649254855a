"""What comes back, and what is refused."""

import json

import numpy as np
import pytest

import masksolve as ms
from tests.planning.fakes import FakeParameter, fake_module
from tests.storage.files import write_file


def test_a_pattern_that_comes_twice_counts_once(weights):
    plan = ms.plan(weights, ["2:4", ms.Pattern(2, 4), "2:4,plain"])
    assert [str(row.pattern) for row in plan.rows] == ["2:4", "2:4,plain"]
    assert ms.plan(weights, "2:4").rows == plan.rows[:1]


def test_default_patterns(weights):
    patterns = [str(row.pattern) for row in ms.plan(weights).rows]
    assert patterns == ["1:4", "2:4", "2:8", "4:8", "8:16", "16:32"]


def test_json(weights):
    content = json.loads(json.dumps(ms.plan(weights, ["2:4", "4:8"], sample=3).to_dict()))
    assert [row["pattern"] for row in content["rows"]] == ["2:4", "4:8"]
    assert content["rows"][0]["interval"][0] < content["rows"][0]["kept_share"]
    assert content["rows"][0]["hardware"][0]["sources"][0].startswith("https://")
    assert content["rows"][1]["hardware"] == []


def test_text(weights):
    text = str(ms.plan(weights, ["2:4", "4:8,plain", "16:32"], sample=3))
    for words in ("2:4", "4:8,plain", "none found", "±", "95 %", "weight gradient"):
        assert words in text
    assert "2 of 2 at m = 32" in text
    assert repr(ms.plan(weights, ["2:4"])) == "Plan(2:4; 1 layers)"


def test_progress(weights):
    steps = []
    ms.plan({"a": weights, "b": weights}, ["2:4", "4:8"], progress=lambda *s: steps.append(s))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("weights", "arguments", "words"),
    [
        ([[1.0, np.nan]], {}, "weights[0, 1] is nan"),
        ({"a": [[1.0]], "b": [[np.inf]]}, {}, "tensor 'b': weights[0, 0] is inf"),
        ({"a": [[1.0]], "b": [[-np.inf]]}, {"score": None}, "tensor 'b': weights[0, 0] is -inf"),
        ({"a": [1.0, 2.0]}, {}, "tensor 'a': weights must have at least 2 dimensions"),
        ({"a": [["x"]]}, {}, "tensor 'a': weights has dtype"),
        ([[-1.0]], {"score": None}, "negative scores"),
        ([[1.0]], {"score": np.negative}, "negative scores"),
        ([[1.0]], {"score": 3}, "score must be a function"),
        ({}, {}, "the mapping holds no array"),
        (np.empty((0, 3)), {}, "holds no matrix"),
        (fake_module(bias=FakeParameter(np.ones(3))), {}, "SimpleNamespace holds no float tensor"),
        ([[1.0]], {"patterns": []}, "patterns is empty"),
        ([[1.0]], {"patterns": 3}, "patterns must be a list"),
        ([[1.0]], {"patterns": ["2:4", "5:4"]}, "n must be at most m"),
        ([[1.0]], {"patterns": ["2:4", 3]}, "must be a Pattern or a string"),
        ([[1.0]], {"sample": 0}, "sample must be an integer of at least 2 or None, got 0"),
        ([[1.0]], {"sample": -3}, "got -3"),
        ([[1.0]], {"sample": 2.5}, "got 2.5"),
        ([[1.0]], {"seed": -1}, "seed must be an integer of 0 or more, got -1"),
        ([[1.0]], {"axes": (0, 0)}, "axes must differ"),
        ([[1.0]], {"threads": 0}, "threads must be a positive integer"),
        ([[1.0]], {"progress": 3}, "progress must be"),
    ],
)
def test_bad_input(weights, arguments, words):
    with pytest.raises(ms.MasksolveError) as caught:
        ms.plan(weights, **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path, weights):
    vectors = write_file(tmp_path / "vectors", {"bias": weights[0]})
    weights[3, 5] = np.nan
    bad = write_file(tmp_path / "bad", {"good": weights[:3], "bad": weights})
    for path, error, words in (
        (tmp_path / "missing", ms.FileFormatError, "missing: No such file"),
        (vectors, ms.InvalidInput, "vectors holds no float tensor"),
        (bad, ms.InvalidInput, r"bad: tensor 'bad': weights\[3, 5\] is nan"),
    ):
        with pytest.raises(error, match=words):
            ms.plan(path)
