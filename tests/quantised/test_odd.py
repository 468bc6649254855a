"""Quantised layers of odd sizes, and what is damaged, of another type or in another file."""

import json

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from masksolve.errors import InvalidInput
from masksolve.quantised.files import Settings
from tests.quantised import made as by_hand
from tests.storage.files import read_file


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def pruned(write, tmp_path):
    """Prune a layer, and see that its real weights are those that should be left."""

    def pruned(made):
        target = tmp_path / "out.safetensors"
        found = ms.solve_checkpoint(write(made), target, "2:4,plain", apply=True)
        before = made.weights(made.tensors)
        expected = ms.solve(before, "2:4,plain").objective
        assert found.objective == pytest.approx(expected, rel=1e-6)
        after = made.weights(read_file(target))
        assert ms.is_valid(after != 0, "2:4,plain,at-most")
        assert np.abs(after).sum() == pytest.approx(expected, rel=1e-6)

    return pruned


def test_zero_points_of_few_rows_in_one_word(monkeypatch, rng, pruned):
    """One word for all of them is no zero point for all rows."""
    monkeypatch.setattr(by_hand, "OUT", 8)
    monkeypatch.setattr(by_hand, "GROUP", by_hand.IN)
    made = by_hand.w4a16(rng)
    assert made.tensors["fc.weight_zero_point"].shape == (1, 1)
    pruned(made)


@pytest.mark.parametrize(("group", "bits"), [(4, 4), (2, 8)])
def test_few_outputs_of_gptq_have_the_bits_that_they_have(monkeypatch, rng, pruned, group, bits):
    monkeypatch.setattr(by_hand, "GROUP", group)
    pruned(by_hand.gptq(rng, bits=bits))


def test_a_zero_point_of_8_bit_floats_is_a_float(rng, pruned):
    made, zeros = by_hand.fp8_dynamic(rng), rng.choice([0, 1, -2, 3.5], (by_hand.OUT, 1))
    made.tensors["fc.weight_zero_point"] = zeros.astype(ml_dtypes.float8_e4m3fn)
    pruned(made)


@pytest.mark.parametrize(
    ("make", "name", "other", "words"),
    [
        (by_hand.int8_channel, "fc.weight_scale", np.ones((20, 1), np.complex64), "is C64"),
        (by_hand.llm_int8, "fc.SCB", np.ones(20, np.bool_), "is BOOL"),
        (by_hand.w4a16, "fc.weight_shape", np.ones((1, 2), int), "does not hold the sides"),
        (by_hand.w4a16, "fc.weight_shape", np.ones(0, int), "does not hold the sides"),
        (by_hand.w4a16, "fc.weight_shape", np.ones(2), "does not hold the sides"),
        (by_hand.gptq, "fc.g_idx", np.ones(64, np.complex64), "is C64, and no numbers of groups"),
    ],
)
def test_companions_of_another_kind_are_refused(rng, write, tmp_path, make, name, other, words):
    made = make(rng)
    made.tensors[name] = other
    with pytest.raises(InvalidInput, match=f"tensor '{name}' {words}"):
        ms.solve_checkpoint(write(made), tmp_path / "out.safetensors", "2:4")


@pytest.mark.parametrize(
    ("make", "name", "other", "words"),
    [
        (by_hand.gptq, "fc.qzeros", np.ones((4, 4)), "like GPTQ's"),
        (by_hand.llm_int8, "fc.weight_format", np.ones((), np.complex64), "older GPUs"),
        (by_hand.nvfp4, "fc.weight_scale", np.ones((20, 4), np.float32), "not known (U8)"),
    ],
)
def test_formats_that_only_look_alike_are_named(rng, write, tmp_path, make, name, other, words):
    made, others = make(rng), {"other.weight": np.ones((16, 16), np.float32)}
    made.tensors[name] = other
    made.tensors.pop("fc.weight_global_scale", None)
    found = ms.solve_checkpoint(write(made, others), tmp_path / "out.safetensors", "2:4")
    assert words in dict(found.skipped)[made.name]


def test_a_configuration_beyond_reason_says_nothing(tmp_path):
    content = {"quantization_config": {"block_size": "9" * 5000 + "x2"}}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert Settings.read(tmp_path).blocks == []
