"""Scratch that threads keep from box to box: never anybody else's, never what it held before."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import masksolve as ms
from masksolve.kernels.workspace import own_workspace

CALLS = [
    (pattern, side, dtype)
    for pattern in ("2:4", "4:8", "8:16", "4:8,at-most")
    for side in (16, 20, 64, 96)
    for dtype in (np.float32, np.float64, np.int8)
]


def call(pattern, side, dtype):
    weights = (20 * np.random.default_rng(side).normal(size=(side, side))).astype(dtype)
    result = ms.solve(weights, pattern, threads=1, potentials=True)
    found = (result.mask, result.tiles.row_potentials, result.tiles.column_potentials)
    counts = {k: v for k, v in result.stats.items() if not k.endswith("seconds")}
    return [a.tobytes() for a in found], result.objective, result.gap, counts


def test_many_threads_of_mixed_calls_find_what_one_call_alone_does():
    alone = {}
    for key in CALLS:  # each in a thread that never solved anything
        thread = threading.Thread(target=lambda key=key: alone.update({key: call(*key)}))
        thread.start()
        thread.join()
    order = np.random.default_rng(0).permutation(3 * len(CALLS)) % len(CALLS)
    mixed = [CALLS[k] for k in order]
    with ThreadPoolExecutor(8) as pool:
        for key, found in zip(mixed, pool.map(lambda key: call(*key), mixed), strict=True):
            assert found == alone[key], key


def test_a_refused_call_leaves_nothing_behind():
    first = call("8:16", 64, np.float32)
    weights = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    weights[40, 40] = np.nan
    with pytest.raises(ms.InvalidInput):
        ms.solve(weights, "8:16", threads=1)
    assert call("8:16", 64, np.float32) == first


def test_a_workspace_is_used_again_if_it_fits_and_is_small():
    small = own_workspace(8, 10, False)
    small.counts[:] = 7
    again = own_workspace(8, 4, False)
    assert again is small
    assert not again.counts.any()
    larger = own_workspace(8, 11, False)
    assert len(larger.left) >= 11
    assert own_workspace(8, 11, True) is not larger
    assert own_workspace(64, 10_000, True) is not own_workspace(64, 10_000, True)


def test_threads_have_workspaces_of_their_own():
    mine, others = own_workspace(8, 10, False), []
    thread = threading.Thread(target=lambda: others.append(own_workspace(8, 10, False)))
    thread.start()
    thread.join()
    assert others[0] is not mine
    assert own_workspace(8, 10, False) is mine
