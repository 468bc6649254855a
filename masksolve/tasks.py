"""Problems and the work that they take: one by one, or together, all boxes in one queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from masksolve.compiling import Stopwatch
from masksolve.errors import InvalidInput
from masksolve.problem import Problem
from masksolve.result import MaskResult
from masksolve.threads import Progress, for_each, worthwhile
from masksolve.tiles import BOX_ENTRIES, Box

__all__ = ["Task", "run_together"]

LARGEST = 1 << 20
"""Entries of the largest box."""
_TILES = attrgetter("tiles")


class Task:
    """A problem, and what is to be done for each of its boxes.

    Parameters
    ----------
    problem : Problem
    work : callable
        Solves a box, or judges it, and has the problem record what it found.
    streams : bool
        Whether it reads its boxes once, so that they need not fit into a cache.
    method : str
        That the result names.

    Attributes
    ----------
    problem : Problem
    busy : float
        Seconds that its boxes took, of several threads together, where it ran with others.
    """

    def __init__(
        self, problem: Problem, work: Callable[[Box], None], streams: bool = False, method: str = ""
    ) -> None:
        self.problem = problem
        self.busy = 0.0
        self._work, self._streams, self._method = work, streams, method
        self._times: tuple[float, float] | None = None
        self._error: InvalidInput | None = None

    def run(self, progress: Progress = False) -> Task:
        """Do it, by itself."""
        boxes, threads = self.boxes(self.problem.mask.size), self.problem.threads
        for_each(boxes, self._work, threads=threads, progress=progress, size=_TILES)
        return self

    def boxes(self, entries: int) -> Sequence[Box]:
        """List its boxes, where so many entries are to be done: some a thread, of however many."""
        if not self._streams:
            return self.problem.boxes(BOX_ENTRIES)
        return self.problem.boxes(min(LARGEST, max(2 * BOX_ENTRIES, entries // 32)))

    def do(self, box: Box) -> None:
        """Work on a box, and keep the error that stops it."""
        watch = Stopwatch()
        try:
            self._work(box)
        except InvalidInput as error:
            self._error = error
            raise
        self.busy += watch.seconds

    def charge(self, seconds: float, compile_seconds: float) -> None:
        """Take its share of the seconds in which it ran with others."""
        self._times = seconds, compile_seconds

    def result(self) -> MaskResult:
        """Put the result together.

        Raises
        ------
        InvalidInput
            If something is wrong with the scores. Tasks after such a one may not be done.
        """
        if self._error is not None:
            raise self._error
        return self.problem.result(self._method, *(self._times or self.problem.watch.read()))


def run_together(tasks: Sequence[Task], threads: int) -> None:
    """Do several tasks, so that no thread waits between one and the next.

    Raises
    ------
    InvalidInput
        The first of them that the scores of a task are to blame for; its `result` raises it, too.
    """
    watch = Stopwatch()
    entries = sum([task.problem.mask.size for task in tasks])
    parts = [(task, box) for task in tasks for box in task.boxes(entries)]
    for_each(parts, _do, threads=min(threads, worthwhile(entries)))
    seconds, compile_seconds = watch.read()
    busy = sum([task.busy for task in tasks])
    for task in tasks:
        task.charge(seconds * task.busy / busy if busy else 0.0, compile_seconds)
        compile_seconds = 0.0  # the first needed them


def _do(part: tuple[Task, Box]) -> None:
    task, box = part
    task.do(box)
