"""Who solves the slices: this process, or whatever else keeps the same promise."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Protocol

from masksolve.checkpoints.work import Slice, Solved, Weights, fetch, solve_weights
from masksolve.inputs import as_threads

__all__ = ["LocalRunner", "Runner"]

AT_ONCE = 2
MOST_WAITING = 8
"""Slices on their way; those that are solved wait for their turn as bits."""


class Runner(Protocol):
    """Solve slices, anywhere and in any order, and hand them back in theirs."""

    def run(self, slices: Iterable[Slice], ahead: int) -> Iterator[Solved]:
        """Solve slices.

        Parameters
        ----------
        slices : iterable of Slice
            Taken only when there is room for them.
        ahead : int
            How many bytes of weights each process that solves may hold beyond the slice
            that it is at; one slice more in any case.

        Yields
        ------
        Solved
            One for each slice, in their order; the caller may stop at any of them, and
            what is on its way is then given up.

        Raises
        ------
        FileFormatError, InvalidInput
            In the place of the first slice that cannot be read or solved.
        """
        ...


class LocalRunner:
    """One thread reads, two slices at a time are solved, each by half of the threads.

    Two of one thread each never wait for each other, as two threads at one slice do.
    """

    def run(self, slices: Iterable[Slice], ahead: int) -> Iterator[Solved]:
        """Solve slices; see `Runner`."""
        waiting: deque[tuple[Slice, Future[Solved]]] = deque()
        with (
            ThreadPoolExecutor(AT_ONCE, thread_name_prefix="masksolve-solve") as solvers,
            ThreadPoolExecutor(1, thread_name_prefix="masksolve-read") as reader,
        ):
            try:
                for number, piece in enumerate(slices):
                    while not _has_room(waiting, piece, ahead):
                        if waiting[0][1].done() or len(waiting) == MOST_WAITING:
                            yield waiting.popleft()[1].result()
                        else:
                            wait(
                                [future for _, future in waiting if not future.done()],
                                return_when=FIRST_COMPLETED,
                            )
                    read = reader.submit(fetch, piece)
                    solved = solvers.submit(_solve, _shared(piece, number), [read])
                    waiting.append((piece, solved))
                    del read  # whoever holds it holds the weights
                while waiting:
                    yield waiting.popleft()[1].result()
            finally:
                for _, future in waiting:
                    future.cancel()


def _has_room(waiting: deque[tuple[Slice, Future[Solved]]], piece: Slice, ahead: int) -> bool:
    """Tell whether a slice may be begun besides those that are not solved yet."""
    held = [other.nbytes for other, future in waiting if not future.done()]
    return len(waiting) < MOST_WAITING and (not held or sum(held[1:]) + piece.nbytes <= ahead)


def _shared(piece: Slice, number: int) -> Slice:
    """Give a slice its part of the threads; of an odd number each takes the larger in turn."""
    threads = as_threads(piece.threads)
    return replace(piece, threads=max(1, (threads + number % AT_ONCE) // AT_ONCE))


def _solve(piece: Slice, read: list[Future[Weights]]) -> Solved:
    return solve_weights(piece, read.pop().result())
