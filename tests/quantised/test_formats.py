"""Every format: the real weights obey the pattern, nothing but codes changes, scores are real."""

import numpy as np
import pytest

import masksolve as ms
from tests.quantised.made import FORMATS
from tests.storage.files import read_file, same_bits


@pytest.fixture(params=FORMATS, ids=lambda make: make.__name__)
def made(request):
    return request.param(np.random.default_rng(7))


def obeys(weights, pattern):
    """Whether what is not zero is at most n of m, by rows, and by columns if it must be."""
    n, m = map(int, pattern.split(",")[0].split(":"))
    both = [weights] if "plain" in pattern else [weights, weights.swapaxes(-2, -1)]
    return all(((w != 0).reshape(-1, m).sum(1) <= n).all() for w in both)


@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain"])
def test_real_weights_obey_the_pattern_and_scales_stay(made, write, tmp_path, pattern):
    source, target = write(made), tmp_path / "pruned.safetensors"
    found = ms.solve_checkpoint(source, target, pattern, apply=True)
    assert list(found.records) == [made.name]
    after, before = read_file(target), made.weights(made.tensors)
    pruned = made.weights(after)
    assert not obeys(before, pattern)
    assert obeys(pruned, pattern)
    kept = pruned != 0
    assert np.array_equal(pruned[kept], before[kept])
    for name in after.keys() - {made.name, "norm.weight"}:
        assert same_bits(after[name], np.asarray(made.tensors[name]))
    expected = ms.solve(before, pattern).objective
    assert found.objective == pytest.approx(expected, rel=1e-6)
    assert np.abs(pruned).sum() == pytest.approx(expected, rel=1e-6)
    assert found.figures[made.name].total == pytest.approx(np.abs(before).sum(), rel=1e-6)
    assert found.masked_share > 0.9


def test_masks_in_slices_then_applied_are_the_same(made, write, tmp_path):
    source = write(made)
    whole = ms.solve_checkpoint(source, tmp_path / "whole.safetensors", "2:4", apply=True)
    masks, cut = tmp_path / "masks.safetensors", tmp_path / "cut.safetensors"
    ms.solve_checkpoint(source, masks, "2:4", largest=1 << 12)
    mask = ms.load_masks(masks)[made.name].mask
    seen = mask.T if made.inputs_first else mask
    assert seen.shape == made.weights(made.tensors).shape
    ms.apply_masks(source, masks, cut)
    found, expected = read_file(cut), read_file(whole.path)
    assert same_bits(found[made.name], expected[made.name])
    assert np.array_equal(made.weights(found) != 0, seen & (made.weights(made.tensors) != 0))
