"""Run a function over the boxes of a layout: threads, progress, failures."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeAlias

from masksolve.errors import InvalidInput
from masksolve.tiles import Box, TileLayout

__all__ = ["Progress", "as_threads", "for_each_box"]

Progress: TypeAlias = bool | Callable[[int, int], None]
"""False: silent. True: a bar on the terminal. A function: called with (done, total)."""


def as_threads(threads: int | None) -> int:
    """Return how many threads to use; None means every core this process may use."""
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    try:
        number = 0 if isinstance(threads, bool) else operator.index(threads)
    except TypeError:
        number = 0
    if number < 1:
        raise InvalidInput(f"threads must be a positive integer or None, got {threads!r}")
    return number


def for_each_box(
    layout: TileLayout,
    work: Callable[[Box], None],
    *,
    threads: int,
    progress: Progress = False,
) -> None:
    """Call `work` once for every box, `threads` at a time.

    Boxes are independent and write to places of their own, so nothing depends on the
    order. The first failure stops the rest and is raised.
    """
    boxes = layout.boxes()
    with _reporting(progress, layout.tiles) as report:
        if threads == 1 or len(boxes) <= 1:
            for box in boxes:
                work(box)
                report(box.tiles)
            return
        pool = ThreadPoolExecutor(min(threads, len(boxes)))
        try:
            futures = {pool.submit(work, box): box.tiles for box in boxes}
            for future in as_completed(futures):
                future.result()
                report(futures[future])
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _reporting(progress: Progress, total: int) -> Iterator[Callable[[int], None]]:
    if progress is False:
        yield lambda tiles: None
    elif progress is True:
        from rich.progress import Progress as Bar

        with Bar(transient=True) as bar:
            task = bar.add_task("tiles", total=total)
            yield lambda tiles: bar.advance(task, tiles)
    elif callable(progress):
        done = 0

        def report(tiles: int) -> None:
            nonlocal done
            done += tiles
            progress(done, total)

        yield report
    else:
        raise InvalidInput(f"progress must be a bool or a function, got {progress!r}")
