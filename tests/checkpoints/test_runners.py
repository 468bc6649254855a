"""Slices as work: what they say, in which order they come, how many are on their way."""

import pickle
import threading
import time
from dataclasses import replace
from math import prod

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints import runners, work
from masksolve.checkpoints.work import read_slice, solve_slice
from tests.checkpoints.models import slices_of, solve_all

AHEAD = 3000


@pytest.fixture
def slices(source):
    return slices_of(source, "2:4", most=1000, threads=1)


def weights_of(piece, shards):
    array = next(t[piece.tensor] for t in shards.values() if piece.tensor in t)
    return array[tuple(slice(s, s + n) for s, n in zip(piece.start, piece.shape, strict=True))]


def test_slices_are_read_where_they_lie(slices, shards):
    assert len(slices) > 20
    for piece in slices:
        array, expected = read_slice(piece), weights_of(piece, shards)
        assert array.tobytes() == expected.tobytes()
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert not array.flags.writeable
        assert piece.nbytes == array.nbytes


def test_a_slice_and_its_solution_travel(slices, shards):
    for piece in pickle.loads(pickle.dumps(slices)):
        found = pickle.loads(pickle.dumps(solve_slice(piece)))
        expected = ms.solve(weights_of(piece, shards), "2:4")
        bits = np.unpackbits(found.packed, count=prod(piece.shape), bitorder="little")
        assert np.array_equal(bits.reshape(piece.shape), expected.mask)
        assert (found.objective, found.upper_bound) == (expected.objective, expected.upper_bound)
        assert (found.weights is None) == (not piece.whole)


def test_solutions_come_in_the_order_of_slices(slices):
    found = list(runners.LocalRunner().run(iter(slices), AHEAD))
    assert [f.objective for f in found] == [solve_slice(piece).objective for piece in slices]


@pytest.mark.parametrize("ahead", [0, 1, AHEAD, 10**9])
def test_no_more_is_read_than_allowed(slices, ahead, monkeypatch):
    read, solve, held = runners.begin_reading, runners.solve_weights, []
    peaks, taken = [], []

    def reads(piece, *given):
        held.append(piece.nbytes)
        peaks.append(sum(held[1:]))
        return read(piece, *given)

    def solves(piece, *weights):
        try:
            return solve(piece, *weights)
        finally:
            held.remove(piece.nbytes)

    monkeypatch.setattr(runners, "begin_reading", reads)
    monkeypatch.setattr(runners, "solve_weights", solves)
    source = (taken.append(piece) or piece for piece in slices)
    for done, _ in enumerate(runners.LocalRunner().run(source, ahead), start=1):
        assert len(taken) - done <= runners.MOST_WAITING + 1  # the last is only looked at
    assert taken == slices
    largest = max(piece.nbytes for piece in slices)
    assert max(peaks) <= ahead + largest  # the first of those held may be solved already
    assert held == []


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_are_shared_out(slices, threads, monkeypatch):
    given, solve = [], runners.solve_weights

    def solves(piece, *weights):
        given.append(piece.threads)
        return solve(piece, *weights)

    monkeypatch.setattr(runners, "solve_weights", solves)
    asked = [replace(piece, threads=threads) for piece in slices]
    list(runners.LocalRunner().run(iter(asked), 10**9))
    assert set(given) == {max(1, threads // 2), -(-threads // 2)}


def test_room_for_masks_is_used_again(slices, monkeypatch):
    rooms, problem = [], work.Problem

    def noted(*args, mask):
        mask[:] = True  # what it held before does not matter
        rooms.append((threading.get_ident(), mask.ctypes.data))
        return problem(*args, mask=mask)

    expected = [ms.solve(read_slice(piece), "2:4").mask for piece in slices]
    monkeypatch.setattr(work, "Problem", noted)
    largest = max(slices, key=lambda piece: prod(piece.shape))
    found = [solve_slice(piece).packed for piece in (largest, *slices)][1:]
    assert len(set(rooms)) == 1
    for bits, mask in zip(found, expected, strict=True):
        assert np.array_equal(bits, np.packbits(mask, bitorder="little"))


def test_who_stops_early_leaves_no_thread(slices):
    before = threading.active_count()
    found = runners.LocalRunner().run(iter(slices), AHEAD)
    next(found)
    found.close()
    assert threading.active_count() <= before + 1  # the engine's own helpers stay


def test_what_is_at_work_ends_when_nobody_wants_it(slices, monkeypatch):
    """With its box of tiles: a slow method would keep whoever presses Ctrl-C waiting."""
    begun, stopped = threading.Event(), []

    def solves(piece, weights, progress):
        try:
            for done in range(10**6):
                progress(done, 10**6)
                begun.set()
                time.sleep(0.001)
        except runners.Closed:
            stopped.append(piece)
            raise

    monkeypatch.setattr(runners, "solve_weights", solves)
    with pytest.raises(KeyboardInterrupt):
        for _ in runners.LocalRunner().run(interrupted(slices, begun), 10**9):
            pass
    assert stopped


def interrupted(slices, begun):
    yield from slices[:2]
    begun.wait(30)
    raise KeyboardInterrupt


def test_progress_is_told_within_a_slice(source, target):
    """By bytes, box by box, and never backwards."""
    seen = []
    solve_all(
        source, target, "4:8", method="local_search", progress=lambda *told: seen.append(told)
    )
    done = [done for done, _ in seen]
    slices = slices_of(source, "4:8", most=10**9, threads=1)
    assert len(done) > len(slices) + 2
    assert done == sorted(set(done))
    assert done[-1] == seen[-1][1]


def test_a_failure_comes_in_its_place(slices, source):
    path = source / "model-3.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    found = runners.LocalRunner().run(iter(slices), 10**9)
    good = [next(found) for piece in slices if not piece.path.endswith("3.safetensors")]
    assert len(good) > 10
    with pytest.raises(ms.FileFormatError, match=r"model-3\.safetensors was cut short"):
        list(found)
