"""What compiling takes, and who hears of it: it is no part of the work it is done for.

Kernels are compiled, or loaded from their cache, at their first call: in the middle of some
layer, whose seconds should not depend on being the first. This module knows no compiler.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Stopwatch", "begin_compiling", "making_kernels", "saying_so"]


class _Clock:
    """Counts the seconds in which at least one thread has kernels made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0  # kernels call kernels, and threads wait for each other's
        self._since = 0.0
        self._before = 0.0

    def change(self, by: int) -> None:
        """Take that one more thing is under way, or one less."""
        with self._lock:
            now = time.perf_counter()
            if self._under_way:
                self._before += now - self._since
            self._since = now
            self._under_way += by

    def read(self) -> tuple[float, float]:
        """Give the time, and the seconds of it so far in which something was under way."""
        with self._lock:
            now = time.perf_counter()
            return now, self._before + (now - self._since if self._under_way else 0.0)


_CLOCK = _Clock()

if hasattr(os, "register_at_fork"):
    # A forked child has none of the threads that have something under way.
    os.register_at_fork(after_in_child=_CLOCK.__init__)  # type: ignore[misc]


@contextmanager
def making_kernels() -> Iterator[None]:
    """Have the clock run: kernels are compiled in here, or loaded, or numba itself is."""
    _CLOCK.change(1)
    try:
        yield
    finally:
        _CLOCK.change(-1)


class Stopwatch:
    """Seconds since it was made, those apart in which kernels were."""

    def __init__(self) -> None:
        self._started, self._made_before = _CLOCK.read()

    @property
    def seconds(self) -> float:
        """The seconds of the work itself."""
        return self.read()[0]

    def read(self) -> tuple[float, float]:
        """Give the seconds of the work itself, and those in which kernels were made."""
        now, made = _CLOCK.read()
        making = made - self._made_before
        return now - self._started - making, making


_SHOWN: list[None] = []
"""One for every command line and every bar that is shown."""
_SAID = threading.Event()


@contextmanager
def saying_so() -> Iterator[None]:
    """Say on a terminal if something is compiled in here, the first time in the process."""
    _SHOWN.append(None)
    try:
        yield
    finally:
        _SHOWN.pop()


def begin_compiling() -> None:
    """Take that a kernel was not found in the cache: compiling takes seconds."""
    if not _SHOWN or _SAID.is_set() or sys.stderr is None or not sys.stderr.isatty():
        return
    _SAID.set()
    with suppress(OSError):
        print("compiling kernels, once", file=sys.stderr)  # rich puts it above its bars
