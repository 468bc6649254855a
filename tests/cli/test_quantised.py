"""The commands on quantised weights: verdicts are about the weights, not about their codes."""

import numpy as np
import pytest

import masksolve as ms
from tests.checkpoints.models import write_checkpoint
from tests.quantised import made as by_hand
from tests.storage.files import write_file


@pytest.fixture
def made():
    return by_hand.int8_zero_points(np.random.default_rng(5))


@pytest.fixture
def model(tmp_path, made):
    return write_file(tmp_path / "model.safetensors", made.tensors)


def test_what_solve_writes_is_valid_and_optimal(run, tmp_path, model):
    masks, pruned = tmp_path / "masks.safetensors", tmp_path / "pruned.safetensors"
    run("solve", model, masks, "--pattern", "2:4")
    assert "optimal" in run("certify", model, masks).out
    run("apply", model, masks, pruned)
    run("check", pruned)
    run("check", pruned, "--pattern", "2:4", "--tensors", "fc.weight")
    run("check", model, "--pattern", "2:4", code=1)


def test_zeros_are_weights_of_zero_and_not_codes(run, tmp_path, made):
    """Codes that obey the pattern are no weights that do, where zero points are not zero."""
    made.tensors["fc.weight"] *= (np.arange(by_hand.IN) % 4 < 2).astype(np.int8)
    file = write_file(tmp_path / "codes.safetensors", made.tensors)
    run("check", file, "--pattern", "2:4,plain", "--tensors", "fc.weight", code=1)


def test_a_plan_knows_the_bits_of_a_code(run, tmp_path):
    made = by_hand.w4a16(np.random.default_rng(5))
    file = write_file(tmp_path / "model.safetensors", made.tensors)
    found = run("plan", file, "--patterns", "2:4", "--json").json
    (row,) = found["rows"]
    expected = ms.solve(made.weights(made.tensors), "2:4").objective
    assert row["kept"] == pytest.approx(expected, rel=1e-6)
    assert row["dense_bits"] == 4 * by_hand.OUT * by_hand.IN


def test_a_scale_that_does_not_fit_is_one_line(refused, tmp_path, made):
    made.tensors["fc.weight_scale"] = np.ones((20, 3), dtype=np.float32)
    file = write_file(tmp_path / "model.safetensors", made.tensors)
    words = "'fc.weight_scale' is 20 x 3 does not fit 'fc.weight' of 20 x 64"
    refused("solve", file, tmp_path / "out.safetensors", "--pattern", "2:4", words=words)
    refused("plan", file, words=words)


@pytest.mark.parametrize(("shape", "scale"), [((8, 0), (8, 0)), ((0, 64), (0, 1))])
def test_a_layer_without_weights_is_none_to_look_at(run, tmp_path, shape, scale):
    tensors = {"fc.weight": np.ones(shape, np.int8), "fc.weight_scale": np.ones(scale, "f4")}
    file = write_file(tmp_path / "model.safetensors", tensors)
    run("check", file, "--pattern", "2:4")
    run("solve", file, tmp_path / "out.safetensors", "--pattern", "2:4", "--tensors", "fc.weight")


UNREAD = {
    "zero points are I32": {"fc.weight_zero_point": np.ones((20, 1), np.int32)},
    "does not fit": {"fc.weight_scale": np.ones((3, 1), np.float32)},
    "belongs to the quantised fc.weight": {"other.weight": np.ones((20, 64), np.int8)},
}


@pytest.mark.parametrize("words", UNREAD)
def test_masks_of_other_weights_never_reach_codes_that_are_not_read(refused, tmp_path, words):
    """Zero would be written for codes of something else, and scores be those of codes."""
    name = "fc.weight_scale" if words.startswith("belongs") else "fc.weight"
    masks, output = tmp_path / "masks.safetensors", tmp_path / "out.safetensors"
    plain = {name: np.random.default_rng(0).normal(size=(20, 64))}
    ms.save_masks(masks, {name: ms.solve(plain[name], "2:4")}, plain)
    made = by_hand.int8_channel(np.random.default_rng(1))
    made.tensors.update(UNREAD[words])
    model = write_file(tmp_path / "model.safetensors", made.tensors)
    refused("apply", model, masks, output, "--force", words=words)
    refused("certify", model, masks, words=words)
    assert not output.exists()


def test_one_file_of_many_without_the_scales_is_refused(refused, tmp_path):
    """Codes are no weights: those of 8-bit floats could be taken for them."""
    made = by_hand.fp8_dynamic(np.random.default_rng(1))
    codes = {made.name: made.tensors.pop(made.name)}
    shards = {"a.safetensors": codes, "b.safetensors": made.tensors}
    model, output = write_checkpoint(tmp_path / "model", shards), tmp_path / "out.safetensors"
    words = "'fc.weight' needs 'fc.weight_scale', which lies in another file"
    refused("plan", model / "a.safetensors", words=words)
    refused("solve", model / "a.safetensors", output, "--pattern", "2:4", words=words)
