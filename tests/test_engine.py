"""The engine as a whole: pieces, threads, callers, memory; `tests/solvers` has its answers."""

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from masksolve import Status
from masksolve.problem import Problem
from tests import naive

PATTERNS = ["1:2", "2:4", "3:5", "4:8", "5:12", "8:16", "3:16,at-most", "16:32"]
KINDS = {
    "normal": lambda w: w,
    "bf16": lambda w: w.astype(ml_dtypes.bfloat16),
    "int8": lambda w: np.round(30 * w).astype(np.int8),
    "int2": lambda w: np.round(w).astype(np.int8),
    "tiny": lambda w: w * np.float32(1e-42),
    "huge": lambda w: w.astype(np.float64) * 1e250,
    "wide": lambda w: np.exp(10.0 * w.astype(np.float64)),
    "equal": np.ones_like,
    "zero": np.zeros_like,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_kind_of_score_is_proven(pattern, kind):
    weights = KINDS[kind](np.random.default_rng(0).normal(size=(96, 240)).astype(np.float32))
    result = ms.solve(weights, pattern)
    assert result.status is Status.OPTIMAL
    ms.check_mask(result.mask, pattern)
    judged = ms.certify(weights, result.mask, pattern, plain=True)
    assert judged.status is Status.OPTIMAL
    assert judged.objective == pytest.approx(result.objective, rel=1e-12)


def test_stages_all_get_their_turn():
    rng = np.random.default_rng(0)
    normal = ms.solve(rng.normal(size=(512, 512)), "8:16").stats
    assert normal["tiles_by_rounds"] > 0.9 * normal["tiles"]
    assert normal["tiles_by_more_rounds"] > 0
    coarse = ms.solve(rng.integers(-3, 4, (512, 512)), "8:16").stats
    assert coarse["tiles_by_ties"] > 0
    assert coarse["tiles_by_paths"] > 0
    for stats in (normal, coarse):
        stages = [v for k, v in stats.items() if k.startswith("tiles_by_")]
        assert sum(stages) == stats["tiles"] == 1024


def test_signed_at_most_is_proven_by_rounds():
    scores = np.random.default_rng(0).normal(size=(512, 512))
    for array in (scores, np.abs(scores)):
        stats = ms.solve(array, "8:16,at-most", score=None).stats
        assert stats["tiles_by_rounds"] > 0.8 * stats["tiles"]


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_results_are_the_same_bits_for_any_number_of_threads(threads):
    weights = np.round(np.random.default_rng(1).normal(size=(1024, 2048)) * 8)
    assert len(Problem(weights, "4:8", np.abs, (0, 1), 1).layout.boxes(1 << 17)) > threads
    one = ms.solve(weights, "4:8", threads=1, potentials=True)
    many = ms.solve(weights, "4:8", threads=threads, potentials=True)
    np.testing.assert_array_equal(one.mask, many.mask)
    np.testing.assert_array_equal(one.tiles.row_potentials, many.tiles.row_potentials)
    assert (one.objective, one.upper_bound) == (many.objective, many.upper_bound)


def test_several_python_threads_may_solve_at_once():
    weights = np.random.default_rng(2).normal(size=(8, 256, 256))
    alone = [ms.solve(w, "4:8").mask for w in weights]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda w: ms.solve(w, "4:8", threads=3).mask, weights))
    np.testing.assert_array_equal(alone, together)


def test_thread_settings_are_left_alone():
    import numba

    before = numba.get_num_threads()
    ms.solve(np.eye(64), "4:8", threads=1)
    assert numba.get_num_threads() == before


def test_a_forked_child_can_solve():
    code = """
import os, warnings
import numpy as np, masksolve as ms
warnings.simplefilter("ignore")  # Python's own, about forking with threads
w = np.random.default_rng(0).normal(size=(1024, 1024))
first = ms.solve(w, "4:8", threads=2).objective
child = os.fork()
if child == 0:
    os._exit(0 if ms.solve(w, "4:8", threads=2).objective == first else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("pattern", ["2:4", "8:16"])
def test_memory_beyond_weights_and_mask_is_small(pattern):
    code = f"""
import resource
import numpy as np, masksolve as ms
ms.solve(np.eye(64, dtype=np.float32), "{pattern}")
w = np.ones((8192, 6144), dtype=np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
r = ms.solve(w, "{pattern}", threads=2)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 - r.mask.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 64e6
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0


def test_figures_per_tile_refuse_weights_that_have_changed():
    weights = np.random.default_rng(3).normal(size=(64, 64))
    result = ms.solve(weights, "4:8")
    weights *= 1.001
    with pytest.raises(ms.InvalidInput, match="weights have changed"):
        _ = result.tiles.objective


def test_compiled_and_plain_verdicts_agree():
    rng = np.random.default_rng(4)
    for pattern in ("2:4", "3:8", "4:8,at-most"):
        weights = rng.normal(size=(48, 72))
        mask = ms.solve(weights, pattern, method="greedy").mask
        fast, plain = (ms.certify(weights, mask, pattern, plain=p) for p in (False, True))
        assert fast.status is plain.status
        assert fast.gap == pytest.approx(plain.gap, rel=1e-9)
        np.testing.assert_allclose(fast.tiles.gap, plain.tiles.gap, atol=1e-12)


def test_best_of_a_tile_by_enumeration():
    scores = np.random.default_rng(5).integers(0, 5, (40, 4, 4)).astype(float)
    found = ms.solve(scores, "2:4").tiles.objective.ravel()
    np.testing.assert_array_equal(found, naive.best_of_all(scores, 2, False))
