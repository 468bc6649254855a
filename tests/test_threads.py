"""Work over boxes: each once, on any number of threads; progress and failures get out."""

import threading
import time
from operator import attrgetter

import numpy as np
import pytest

import masksolve as ms
from masksolve.inputs import as_threads
from masksolve.threads import for_each
from masksolve.tiles import TileLayout

LAYOUT = TileLayout((5, 301, 603), (1, 2), (4, 4))
THREADS = [1, 2, 3, 50]


@pytest.mark.parametrize("threads", THREADS)
def test_every_box_is_worked_on_once(threads):
    seen, lock = [], threading.Lock()

    def work(box):
        with lock:
            seen.append(str(box))

    for_each(LAYOUT.boxes(), work, threads=threads)
    assert sorted(seen) == sorted(map(str, LAYOUT.boxes()))
    assert len(seen) > 10


def test_several_threads_work_at_the_same_time():
    together = threading.Barrier(2, timeout=60)
    two = TileLayout((512, 256), (0, 1), (4, 4))
    assert len(two.boxes()) == 2
    for_each(two.boxes(), lambda box: together.wait(), threads=2)


@pytest.mark.parametrize("threads", THREADS)
def test_progress_grows_to_the_total(threads):
    calls = []
    told = lambda *counts: calls.append(counts)  # noqa: E731
    boxes, size = LAYOUT.boxes(), attrgetter("tiles")
    for_each(boxes, lambda box: None, threads=threads, progress=told, size=size)
    done, totals = zip(*calls, strict=True)
    assert set(totals) == {LAYOUT.tiles}
    assert 1 <= len(done) <= len(LAYOUT.boxes())
    assert list(done) == sorted(set(done))
    assert done[-1] == LAYOUT.tiles


@pytest.mark.parametrize("call", [ms.solve, lambda w, p, **k: ms.certify(w, 0 * w, p, **k)])
def test_progress_of_public_functions(call):
    calls = []
    call(np.ones((8, 9)), "2:4", progress=lambda *counts: calls.append(counts))
    assert calls[-1] == (6, 6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_failing_box_is_raised_and_stops_the_rest(threads):
    boxes = LAYOUT.boxes(160)
    started = []

    def work(box):
        started.append(box)
        time.sleep(0.001)
        raise KeyError("box")

    with pytest.raises(KeyError, match="box"):
        for_each(boxes, work, threads=threads)
    assert len(started) < len(boxes) / 2 > 1000


@pytest.mark.parametrize("threads", [2, 3])
def test_of_several_failures_the_first_piece_s_is_raised(threads):
    later = threading.Event()

    def work(k):
        if k == 0:
            assert later.wait(60)
        later.set()
        raise KeyError(k)

    with pytest.raises(KeyError, match="0"):
        for_each(range(1000), work, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failing_progress_function_is_raised(threads):
    def progress(done, total):
        raise RuntimeError(f"stop at {done > 0}")

    with pytest.raises(RuntimeError, match="stop at True"):
        ms.solve(np.ones((512, 512)), "2:4", threads=threads, progress=progress)


def test_threads_default_to_the_cores_of_this_process():
    assert as_threads(None) >= 1
    assert ms.solve(np.ones((4, 4)), "2:4").stats["threads"] == as_threads(None)


def test_threads_may_be_any_kind_of_integer():
    assert type(as_threads(np.int64(3))) is int


def test_a_bar_is_no_part_of_the_answer_and_prints_nothing_into_a_pipe(capsys):
    with_bar = ms.solve(np.eye(4), "1:4", progress=True)
    np.testing.assert_array_equal(with_bar.mask, np.eye(4, dtype=bool))
    assert capsys.readouterr() == ("", "")
