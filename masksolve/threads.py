"""Run a function over the boxes of a layout: threads, progress, failures."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeAlias

from masksolve.compiling import saying_so
from masksolve.errors import InvalidInput
from masksolve.tiles import Box

__all__ = ["Progress", "for_each_box", "reporting"]

Progress: TypeAlias = bool | Callable[[int, int], None]
"""False: silent. True: a bar on the terminal. A function: called with (done, total)."""


def for_each_box(
    boxes: Sequence[Box], work: Callable[[Box], None], *, threads: int, progress: Progress = False
) -> None:
    """Call `work` once for every box, `threads` at a time.

    Boxes are independent and write to places of their own, so nothing depends on the
    order. The calling thread takes its share of them and reports progress; the first
    failure stops the rest and is raised.
    """
    queue = _Queue(boxes)
    helpers = min(threads, len(boxes)) - 1
    with reporting(progress, queue.total) as report:
        futures = [_pool(helpers).submit(queue.drain, work) for _ in range(helpers)]
        try:
            queue.drain(work, report)
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
        report(queue.done)


class _Queue:
    """Boxes to be taken by several threads, and how many tiles are done."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.total = sum([box.tiles for box in boxes])
        self.done = 0
        self._left = iter(boxes)
        self._lock = threading.Lock()

    def drain(
        self, work: Callable[[Box], None], report: Callable[[int], None] | None = None
    ) -> None:
        """Work on boxes until none is left."""
        while True:
            with self._lock:
                box = next(self._left, None)
            if box is None:
                return
            try:
                work(box)
            except BaseException:
                self.stop()
                raise
            with self._lock:
                self.done += box.tiles
            if report is not None:
                report(self.done)

    def stop(self) -> None:
        """Let nobody take another box."""
        with self._lock:
            self._left = iter(())


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
