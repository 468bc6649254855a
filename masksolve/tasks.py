"""Problems and the work that they take: one by one, or together, all boxes in one queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from masksolve.compiling import Stopwatch
from masksolve.errors import InvalidInput
from masksolve.problem import Problem
from masksolve.result import MaskResult
from masksolve.threads import Progress, for_each
from masksolve.tiles import BOX_ENTRIES, Box

__all__ = ["Task", "run_together"]


class Task:
    """A problem, and what is to be done for each of its boxes.

    Parameters
    ----------
    problem : Problem
    work : callable
        Solves a box, or judges it, and has the problem record what it found.
    entries : int
        Of a box, about.
    method : str
        That the result names.

    Attributes
    ----------
    problem : Problem
    busy : float
        Seconds that its boxes took, of several threads together.
    """

    def __init__(
        self,
        problem: Problem,
        work: Callable[[Box], None],
        entries: int = BOX_ENTRIES,
        method: str = "",
    ) -> None:
        self.problem = problem
        self.busy = 0.0
        self._work, self._method = work, method
        self._boxes = problem.boxes(entries)
        self._seconds, self._compile_seconds = problem.watch.read()  # until it can begin
        self._error: InvalidInput | None = None

    def parts(self) -> list[_Part]:
        """List what is to be done."""
        return [_Part(self, box) for box in self._boxes]

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
        """Take a share of the seconds in which several were at work."""
        self._seconds += seconds
        self._compile_seconds += compile_seconds

    def result(self) -> MaskResult:
        """Put the result together.

        Raises
        ------
        InvalidInput
            If something is wrong with the scores. Tasks after such a one may not be done.
        """
        if self._error is not None:
            raise self._error
        return self.problem.result(self._method, self._seconds, self._compile_seconds)


class _Part(NamedTuple):
    task: Task
    box: Box

    def do(self) -> None:
        self.task.do(self.box)

    def size(self) -> int:
        return self.box.tiles


def run_together(tasks: Sequence[Task], *, threads: int, progress: Progress = False) -> None:
    """Do several tasks, so that no thread waits between one and the next.

    Raises
    ------
    InvalidInput
        The one that the first task with an error has.
    """
    watch = Stopwatch()
    parts = [part for task in tasks for part in task.parts()]
    for_each(parts, _Part.do, threads=threads, progress=progress, size=_Part.size)
    seconds, compile_seconds = watch.read()
    busy = sum([task.busy for task in tasks])
    for task in tasks:
        task.charge(seconds * task.busy / busy if busy else 0.0, compile_seconds)
        compile_seconds = 0.0  # the first needed them
