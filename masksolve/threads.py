"""Run a function over pieces of work, boxes above all: threads, progress, failures."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Generic, TypeAlias, TypeVar

from masksolve.compiling import saying_so
from masksolve.errors import InvalidInput

__all__ = ["Progress", "for_each", "reporting", "worthwhile"]

LITTLE = 1 << 17
"""Entries: what is done with them is over before another thread has woken up."""

Progress: TypeAlias = bool | Callable[[int, int], None]
"""False: silent. True: a bar on the terminal. A function: called with (done, total)."""
Piece = TypeVar("Piece")


def for_each(
    pieces: Sequence[Piece],
    work: Callable[[Piece], None],
    *,
    threads: int,
    progress: Progress = False,
    size: Callable[[Piece], int] = lambda piece: 1,
) -> None:
    """Call `work` once for every piece, `threads` at a time, the first ones first.

    Pieces are independent and write to places of their own, so nothing depends on the
    order. The calling thread takes its share of them and reports progress, in units of which
    `size` tells how many a piece has. A failure stops the rest and is raised; of several that
    of the first piece, whoever was quicker.
    """
    helpers = min(threads, len(pieces)) - 1
    if helpers < 1 and progress is False:  # a queue takes as long as a small piece
        for piece in pieces:
            work(piece)
        return
    queue = _Queue(pieces, work, size)
    with reporting(progress, queue.total) as report:
        futures = [_pool(helpers).submit(queue.drain) for _ in range(helpers)]
        try:
            queue.drain(report)
        except BaseException:
            queue.stop()
            raise
        finally:
            # Helpers that never got their turn are not needed any more.
            waiting = [future for future in futures if not future.cancel()]
            for future in waiting:
                future.exception()
        for future in waiting:
            future.result()
        queue.raise_first()
        report(queue.done)


def worthwhile(entries: int) -> int:
    """Return how many threads are of use for many small pieces that have so many entries."""
    return 1 + entries // LITTLE


class _Queue(Generic[Piece]):
    """Pieces to be taken by several threads, and how much is done."""

    def __init__(
        self, pieces: Sequence[Piece], work: Callable[[Piece], None], size: Callable[[Piece], int]
    ) -> None:
        self.total = sum(map(size, pieces))
        self.done = 0
        self._work, self._size = work, size
        self._left = enumerate(pieces)
        self._failures: dict[int, Exception] = {}
        self._lock = threading.Lock()

    def drain(self, report: Callable[[int], None] | None = None) -> None:
        """Work on pieces until none is left."""
        while True:
            with self._lock:
                number, piece = next(self._left, (-1, None))
            if piece is None:
                return
            try:
                self._work(piece)
            except Exception as failure:
                self.stop()
                self._failures[number] = failure
                return
            with self._lock:
                self.done += self._size(piece)
            if report is not None:
                report(self.done)

    def stop(self) -> None:
        """Let nobody take another piece."""
        with self._lock:
            self._left = enumerate(())

    def raise_first(self) -> None:
        """Raise what went wrong: those before the first of it have all been taken, and done."""
        if self._failures:
            raise self._failures[min(self._failures)]


_POOLS: dict[int, ThreadPoolExecutor] = {}
_POOLS_LOCK = threading.Lock()


def _pool(helpers: int) -> ThreadPoolExecutor:
    """Return threads to work with; they stay, since starting them takes longer than a box."""
    with _POOLS_LOCK:
        if helpers not in _POOLS:
            _POOLS[helpers] = ThreadPoolExecutor(helpers, thread_name_prefix="masksolve")
        return _POOLS[helpers]


if hasattr(os, "register_at_fork"):
    # A forked child has none of its parent's threads, nor should it wait for them.
    os.register_at_fork(after_in_child=_POOLS.clear)
    os.register_at_fork(after_in_child=_POOLS_LOCK._at_fork_reinit)  # type: ignore[attr-defined]


_SILENCE: AbstractContextManager[Callable[[int], None]] = nullcontext(lambda done: None)


def reporting(
    progress: Progress, total: int, unit: str = "tiles"
) -> AbstractContextManager[Callable[[int], None]]:
    """Give a function that takes how many of `total` units are done."""
    return _SILENCE if progress is False else _telling(progress, total, unit)


@contextmanager
def _telling(progress: Progress, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    if progress is True:
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        bar = Bar(console=console, transient=True, disable=not console.is_terminal)
        with saying_so(), bar:
            task = bar.add_task(unit, total=total)
            yield lambda done: bar.update(task, completed=done)
    elif callable(progress):
        last = 0

        def report(done: int) -> None:
            nonlocal last
            if done > last:
                last = done
                progress(done, total)

        yield report
    else:
        raise InvalidInput(f"progress must be a bool or a function, got {progress!r}")
