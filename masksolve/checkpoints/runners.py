"""Who solves the slices: this process, or whatever else keeps the same promise."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.work import Slice, Solved, read_slice, solve_weights
from masksolve.storage.hashing import hash_weights

__all__ = ["LocalRunner", "Runner"]

PAGE = 4096

Weights: TypeAlias = tuple[NDArray[Any], str | None]
"""The weights of a slice; their hash, if the slice is all of its tensor."""


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
    """All threads of this process on one slice, while another thread reads the next."""

    def run(self, slices: Iterable[Slice], ahead: int) -> Iterator[Solved]:
        """Solve slices; see `Runner`."""
        with (
            ThreadPoolExecutor(1, thread_name_prefix="masksolve-read") as reader,
            closing(_read_ahead(reader, slices, ahead)) as ready,
        ):
            for piece, found in ready:
                solved = solve_weights(piece, *found.result())
                del found  # unmaps the weights
                yield solved


def _read_ahead(
    reader: ThreadPoolExecutor, slices: Iterable[Slice], ahead: int
) -> Generator[tuple[Slice, Future[Weights]], None, None]:
    waiting: list[tuple[Slice, Future[Weights]]] = []
    held = 0
    try:
        for piece in slices:
            while len(waiting) > 1 and held - waiting[0][0].nbytes + piece.nbytes > ahead:
                held -= waiting[0][0].nbytes
                yield waiting.pop(0)
            waiting.append((piece, reader.submit(_read, piece)))
            held += piece.nbytes
        yield from waiting
    finally:
        for _, future in waiting:
            future.cancel()


def _read(piece: Slice) -> Weights:
    """Map a slice and bring its pages into memory."""
    weights = read_slice(piece)
    if piece.whole:
        return weights, hash_weights(weights)
    flat = weights.reshape(-1).view(np.uint8)
    flat[::PAGE].max(initial=0)
    return weights, None
