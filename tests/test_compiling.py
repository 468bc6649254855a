"""The time that kernels take to be made is told apart from that of the work, and shown."""

import threading
from contextlib import nullcontext

import numpy as np
import pytest

import masksolve as ms
from masksolve import compiling


class FakeTime:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def pass_(self, seconds, compiled=False):
        with compiling.making_kernels() if compiled else nullcontext():
            self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    fake = FakeTime()
    monkeypatch.setattr(compiling, "time", fake)
    monkeypatch.setattr(compiling, "_CLOCK", compiling._Clock())
    return fake


def test_compiling_is_not_charged_to_the_first_layer(clock):
    """A slow kernel stands for any: the first call takes 40 s, each 2 s."""
    calls = []

    def score(weights):
        clock.pass_(2)
        if not calls:
            clock.pass_(40, compiled=True)
        calls.append(weights)
        return np.abs(weights)

    found = [ms.solve(np.eye(4), "2:4", score=score, threads=1) for _ in range(2)]
    assert [r.stats["seconds"] for r in found] == [2, 2]
    assert [r.stats["compile_seconds"] for r in found] == [40, 0]
    found = ms.repair(np.eye(4), np.zeros((4, 4)), "2:4", score=score)
    assert (found.stats["seconds"], found.stats["compile_seconds"]) == (2, 0)


def test_kernels_that_kernels_call_count_once(clock):
    watch = compiling.Stopwatch()
    with compiling.making_kernels():
        clock.pass_(1)
        clock.pass_(10, compiled=True)
        clock.pass_(100)
    clock.pass_(1000)
    assert watch.read() == (1000, 111)


def test_what_is_under_way_counts_so_far(clock):
    before = compiling.Stopwatch()
    with compiling.making_kernels():
        clock.pass_(1)
        within = compiling.Stopwatch()
        clock.pass_(10)
        assert (before.read(), within.read()) == ((0, 11), (0, 10))
    clock.pass_(100)
    assert (before.read(), within.seconds) == ((100, 11), 100)


def test_threads_that_wait_for_the_same_kernel_count_once(clock):
    watch = compiling.Stopwatch()
    begun, done = threading.Barrier(3), threading.Barrier(3)

    def wait():
        with compiling.making_kernels():
            begun.wait()
            done.wait()

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait()
    clock.pass_(7)
    done.wait()
    for thread in threads:
        thread.join()
    clock.pass_(1)
    assert watch.read() == (1, 7)


def test_a_failure_stops_the_clock(clock):
    watch = compiling.Stopwatch()
    with pytest.raises(KeyError), compiling.making_kernels():
        raise KeyError
    clock.pass_(1)
    assert watch.read() == (1, 0)


@pytest.fixture
def said(monkeypatch, capsys):
    """What stderr shows when something is compiled, where that is a terminal or is not."""

    def said(terminal, times=1):
        monkeypatch.setattr(compiling, "_SAID", threading.Event())
        monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
        for _ in range(times):
            compiling.begin_compiling()
        return capsys.readouterr().err

    return said


def test_a_terminal_shows_that_something_is_compiled_once(said):
    with compiling.saying_so(), compiling.saying_so():
        assert said(terminal=True, times=3) == "compiling kernels, once\n"
        assert said(terminal=False) == ""
    assert said(terminal=True) == ""  # neither a command nor a bar is shown
