"""A process in which one contestant runs: whatever it does there harms nobody else.

The parent sends ``(command, *arguments)`` and gets ``("ok", answer)`` or
``("failed", sentence)``. Clocks, loops and warm-up are pyperf's, value by value, so that
contestants can take turns.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyperf
from numpy.typing import NDArray

from .contestants import contestants
from .registry import Contestant
from .tiling import from_tiles, to_tiles

__all__ = ["serve"]

MIN_SECONDS = 0.02
"""Shorter calls are repeated until they take as long together."""


def serve(connection: Connection, name: str, files: Sequence[Path]) -> None:
    """Answer until told to stop."""
    os.setsid()  # its own children go with it when it is killed
    _silence()
    try:
        worker = _Worker(contestants(files)[name])
        connection.send(("ok", None))
        while True:
            command, *arguments = connection.recv()
            try:
                answer = ("ok", getattr(worker, command)(*arguments))
            except Exception as error:
                text = str(error).strip().splitlines() or [""]
                answer = ("failed", f"{type(error).__name__}: {text[0]}".rstrip(": "))
            connection.send(answer)
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone


def _silence() -> None:
    """Keep what contestants print out of the progress display."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    warnings.simplefilter("ignore")


class _Worker:
    """The commands; each public method is one."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.runner = pyperf.Runner()
        asked = f"--worker --quiet --loops=1 --values=1 --warmups=1 --min-time={MIN_SECONDS}"
        self.runner.parse_args(asked.split())
        self.values = 0
        self.calls: dict[str, tuple[Callable[[], Any], int]] = {}
        self.scores: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
        self.shape = (0, 0)
        self.m = 0

    def prepare(self, path: Path, rows: int, n: int, m: int) -> None:
        """Get ready to "solve" the first rows of a matrix that the parent has written."""
        scores: NDArray[np.float32] = np.load(path, mmap_mode="c")[:rows]
        scores.max()  # bring it into memory
        self.shape, self.m = scores.shape, m
        if self.contestant.takes == "matrix":
            self.scores = scores
            call = partial(self.contestant.solve, scores, n, m)
        else:
            self.scores = to_tiles(scores, m)
            call = partial(self.contestant.solve, self.scores, n)
        self.calls = {"solve": (call, 1)}

    def train(self, call: str, pattern: str, every: int | None, steps: int, masks: bool) -> None:
        """Get ready for so many steps of a training loop, timed step by step."""
        from .training import DigitsTraining

        training = DigitsTraining(self.contestant if masks else None, pattern, every)
        self.calls[call] = (partial(training.steps, steps), steps)

    def calibrate(self, call: str) -> tuple[int, float]:
        """Warm up; return how many calls a value takes, and the seconds of one.

        What is no mask is not timed: the first call's answer is looked at.
        """
        if call == "solve":
            self._mask()
        self.runner.args.warmups = int(call != "solve")
        self.runner.args.calibrate_loops = True
        try:
            loops, seconds = self._run(call).warmups[-1]
        finally:
            self.runner.args.calibrate_loops = False
        return loops, seconds

    def measure(self, call: str, loops: int) -> float:
        """Time one value, in seconds a call, or a step."""
        self.runner.args.warmups = 0
        self.runner.args.loops = loops
        (value,) = self._run(call).values
        return float(value)

    def _run(self, call: str) -> Any:
        function, inner_loops = self.calls[call]
        self.values += 1
        return self.runner.bench_func(
            f"value {self.values}", function, inner_loops=inner_loops
        ).get_runs()[0]

    def peak(self, call: str) -> int | None:
        """Measure the most memory that a call adds, in bytes; None where it cannot be."""
        function, _ = self.calls[call]
        try:
            ctypes.CDLL(None).malloc_trim(0)  # what earlier calls left is not its doing
            Path("/proc/self/clear_refs").write_text("5")
            before = _resident("VmRSS")
            function()
            return max(0, _resident("VmHWM") - before)
        except (OSError, AttributeError):
            return None

    def mask(self, path: Path) -> None:
        """Write the mask as a matrix of bool."""
        found = self._mask()
        np.save(path, from_tiles(found, self.shape) if found.ndim == 3 else found)

    def _mask(self) -> NDArray[np.bool_]:
        """Solve, and make sure that the answer is a mask and the scores are as before."""
        function, _ = self.calls["solve"]
        before = self.scores.copy()
        found = np.asarray(function())
        if not np.array_equal(before, self.scores):
            raise ValueError("changed the scores that it was given")
        tiled = self.contestant.takes == "tiles"
        rows, columns = self.shape
        tiles = rows * columns // self.m**2
        expected = (tiles, self.m, self.m) if tiled else self.shape
        if found.shape != expected or found.dtype != np.bool_:
            raise TypeError(
                f"returned {found.dtype} of shape {found.shape}, expected bool of {expected}"
            )
        return found


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"no {field}")
