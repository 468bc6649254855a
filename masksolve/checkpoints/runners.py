"""Who solves the slices: this process, or whatever else keeps the same promise."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Protocol, TypeAlias

from masksolve.checkpoints.reading import Arriving
from masksolve.checkpoints.rooms import Closed, Rooms
from masksolve.checkpoints.work import Slice, Solved, Weights, begin_reading, know, solve_weights
from masksolve.inputs import as_threads
from masksolve.storage.hashing import WeightsHash

__all__ = ["LocalRunner", "Runner", "Running", "Watch"]

AT_ONCE = 2
MOST_WAITING = 8
"""Slices on their way; those that are solved wait for their turn as bits."""


Watch: TypeAlias = Callable[[Slice, int, int], None]


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
    """One thread reads, one hashes; two slices at a time are solved by half of the threads each.

    Two of one thread each never wait for each other, as two threads at one slice do.

    Parameters
    ----------
    watch : callable, optional
        Called with a slice, how much of it is solved and how much that is in all, by
        whichever thread solves it.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch

    def run(self, slices: Iterable[Slice], ahead: int) -> Iterator[Solved]:
        """Solve slices; see `Runner`."""
        waiting: deque[Future[Solved]] = deque()
        rooms, running, stop = Rooms(ahead), Running(), Event()

        def watch(piece: Slice, done: int, total: int) -> None:
            if stop.is_set():
                raise Closed
            if self._watch is not None:
                self._watch(piece, done, total)

        with (
            ThreadPoolExecutor(AT_ONCE, thread_name_prefix="masksolve-solve") as solvers,
            ThreadPoolExecutor(1, thread_name_prefix="masksolve-hash") as hasher,
            ThreadPoolExecutor(1, thread_name_prefix="masksolve-read") as reader,
        ):
            try:
                for number, piece in enumerate(slices):
                    while len(waiting) == MOST_WAITING or (waiting and waiting[0].done()):
                        yield waiting.popleft().result()
                    read = reader.submit(_read, piece, rooms)
                    known = hasher.submit(_know, piece, [read], rooms, running)
                    shared = _shared(piece, number)
                    waiting.append(solvers.submit(_solve, shared, [known], rooms, watch))
                    del read, known  # whoever holds them holds the weights
                while waiting:
                    yield waiting.popleft().result()
            finally:
                stop.set()  # what is at work ends with its box of tiles
                rooms.close()
                for future in waiting:
                    future.cancel()


class Running:
    """The hash of a tensor whose slices are read one after the other."""

    def __init__(self) -> None:
        self._state: WeightsHash | None = None
        self._last: Slice | None = None

    def before(self, piece: Slice) -> WeightsHash | None:
        """Return the hash of all of its tensor before a slice; None if that is not known."""
        if piece.first:
            self._state = WeightsHash()
        elif self._last is None or not piece.follows(self._last):
            self._state = None
        self._last = piece
        return self._state


def _read(piece: Slice, rooms: Rooms) -> Arriving:
    room = rooms.take(piece.nbytes)
    try:
        coming = begin_reading(piece, room)
        coming.fetch()
    except BaseException:
        rooms.give(room)
        raise
    return coming


def _know(piece: Slice, read: list[Future[Arriving]], rooms: Rooms, running: Running) -> Weights:
    upto = running.before(piece)
    coming = read.pop().result()
    try:
        return know(piece, coming, upto)
    except BaseException:
        rooms.give(coming.room)
        raise


def _shared(piece: Slice, number: int) -> Slice:
    """Give a slice its part of the threads; of an odd number each takes the larger in turn."""
    threads = as_threads(piece.threads)
    return replace(piece, threads=max(1, (threads + number % AT_ONCE) // AT_ONCE))


def _solve(piece: Slice, known: list[Future[Weights]], rooms: Rooms, watch: Watch) -> Solved:
    weights = known.pop().result()
    keep = False
    try:
        solved = solve_weights(piece, weights, partial(watch, piece))
        keep = piece.keep
    finally:
        if not keep:
            rooms.give(weights.room)
    if not keep:
        return solved
    return replace(solved, weights=weights, release=partial(rooms.give, weights.room))
