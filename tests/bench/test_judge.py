"""Judge: every tile against its proven optimum."""

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.judge import Judge
from masksolve.bench.results import QUANTILES
from tests import naive

SCORES = np.random.default_rng(3).random((24, 12)).astype(np.float32)
PATTERN = ms.Pattern(2, 4)


def tiles_of(matrix):
    rows, columns = matrix.shape
    return matrix.reshape(rows // 4, 4, columns // 4, 4).swapaxes(1, 2).reshape(-1, 4, 4)


def best_of(tiles):
    return np.array([naive.best_by_rows(t.astype(float), 2, False) for t in tiles])


def test_losses_are_against_the_optimum_of_each_tile():
    mask = ms.solve(SCORES, "2:4", method="greedy").mask
    mask = ms.repair(SCORES, mask, "2:4").mask
    found = Judge(SCORES, PATTERN).quality(mask)
    tiles, kept = tiles_of(SCORES), tiles_of(np.where(mask, SCORES, 0)).sum(axis=(1, 2))
    best = best_of(tiles)
    losses = 1 - kept / best
    assert found["proven"]
    assert found["tiles"] == 18
    assert found["optimum"] == pytest.approx(best.sum())
    assert found["kept"] == pytest.approx(kept.sum())
    assert found["loss_mean"] == pytest.approx(losses.mean(), abs=1e-6)
    assert found["loss_worst"] == pytest.approx(losses.max(), abs=1e-6)
    assert found["kept_ratio_worst"] == pytest.approx((kept / best).min())
    whole = tiles.sum(axis=(1, 2))
    assert found["pruned_ratio_worst"] == pytest.approx(((whole - kept) / (whole - best)).max())
    assert found["at_optimum"] == pytest.approx((losses < 1e-6).mean())
    assert (found["short_lines"], found["rows_valid"], found["columns_valid"]) == (0, True, True)
    quantiles = np.quantile(losses, QUANTILES)
    np.testing.assert_allclose(found["loss_quantiles"], quantiles, atol=1e-4)


def test_fewer_tiles_are_the_first_ones():
    mask = ms.solve(SCORES, "2:4").mask
    found = Judge(SCORES, PATTERN).quality(mask[:8])
    assert found["tiles"] == 6
    assert found["loss_worst"] == 0
    assert found["at_optimum"] == 1
    assert found["optimum"] == pytest.approx(best_of(tiles_of(SCORES[:8])).sum())


def test_lines_are_counted_in_both_directions():
    judge = Judge(SCORES, PATTERN)
    rows = ms.solve(SCORES, "2:4,plain").mask
    found = judge.quality(rows)
    assert (found["rows_valid"], found["columns_valid"]) == (True, False)
    assert found["loss_mean"] < 0  # it need not obey
    found = judge.quality(np.zeros_like(rows))
    assert (found["short_lines"], found["loss_worst"]) == (1, 1)
    assert (found["rows_valid"], found["columns_valid"]) == (True, True)


def test_tiles_of_zeros_have_nothing_to_lose():
    found = Judge(np.zeros((4, 4), dtype=np.float32), PATTERN).quality(np.eye(4, dtype=bool))
    assert (found["loss_mean"], found["pruned_ratio_worst"]) == (0, 1)


def test_agreement_wants_the_score_and_full_lines():
    judge = Judge(SCORES, PATTERN)
    best = ms.solve(SCORES, "2:4").mask
    assert judge.agreement(best)["agreeing"] == 18
    other = best.copy()
    other[:4, :4] = np.roll(best[:4, :4], 1, axis=0)
    found = judge.agreement(other)
    assert found["agreeing"] == 17
    assert found["largest_loss"] > 0
    zeros = Judge(np.zeros((4, 4), dtype=np.float32), PATTERN)
    assert zeros.agreement(np.zeros((4, 4), dtype=bool))["agreeing"] == 0
