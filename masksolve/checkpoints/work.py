"""The unit of work: a slice of a tensor in a file, solved wherever the file can be seen."""

from __future__ import annotations

import mmap
import os
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.pagecache import is_cached
from masksolve.errors import FileFormatError, InvalidInput, InvalidScore, naming
from masksolve.pattern import Pattern
from masksolve.problem import Problem
from masksolve.result import Status
from masksolve.solving import repair, solve_problem
from masksolve.storage.hashing import hash_weights
from masksolve.storage.packing import pack
from masksolve.storage.tensors import as_tensor

__all__ = ["Slice", "Solved", "Weights", "fetch", "read_slice", "solve_slice", "solve_weights"]


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of bytes in a file that holds whole tiles of a tensor; it can be pickled.

    Attributes
    ----------
    path : str
        The file, by a name that holds wherever the slice may be solved.
    offset : int
        Of its first byte in the file.
    tensor : str
    dtype : str
        As safetensors calls it.
    start : tuple of int
        Index in the tensor of its first entry.
    shape : tuple of int
        Of as many dimensions as the tensor's.
    whole : bool
        Whether it is all of the tensor.
    nbytes : int
    pattern : Pattern
    axes : tuple of int
    method : str
    options : dict of str to float
        Of the method.
    repair : bool
        Whether to fill the lines that the method leaves short.
    threads : int or None
        To solve it with; None: every core of the machine.
    """

    path: str
    offset: int
    tensor: str
    dtype: str
    start: tuple[int, ...]
    shape: tuple[int, ...]
    whole: bool
    nbytes: int
    pattern: Pattern
    axes: tuple[int, int]
    method: str = "exact"
    options: dict[str, float] = field(default_factory=dict)
    repair: bool = False
    threads: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights of a slice, brought into memory.

    Attributes
    ----------
    array : ndarray
    hash : str or None
        If the slice is all of its tensor.
    cached : bool
        Whether they were in memory before.
    """

    array: NDArray[Any]
    hash: str | None
    cached: bool


@dataclass(frozen=True, slots=True)
class Solved:
    """What is known of a slice when it is solved; it can be pickled.

    Attributes
    ----------
    packed : ndarray of uint8
        Its mask, eight entries to a byte.
    method : str
        ``"repair"`` where that had something to fill.
    objective : float
    upper_bound : float or None
    status : Status
    weights : str or None
        Hash of the weights, if the slice is all of its tensor.
    cached : bool
        Whether they were in memory before, in the system's cache of files.
    """

    packed: NDArray[np.uint8]
    method: str
    objective: float
    upper_bound: float | None
    status: Status
    weights: str | None
    cached: bool


def read_slice(piece: Slice) -> NDArray[Any]:
    """Map the bytes of a slice, no others, into memory.

    Returns
    -------
    ndarray
        Read-only; the bytes are unmapped when the last reference to it goes.

    Raises
    ------
    FileFormatError
        If the file is missing, or shorter than it was.
    """
    if not piece.nbytes:
        return as_tensor(b"", piece.dtype, piece.shape, piece.path, piece.tensor)
    skip = piece.offset % mmap.ALLOCATIONGRANULARITY
    with naming(piece.path, "read"), open(piece.path, "rb") as file:
        # Touching mapped bytes that are not there would end the process.
        if file.seek(0, 2) < piece.offset + piece.nbytes:
            raise FileFormatError(
                f"{piece.path} was cut short while tensor {piece.tensor!r} was read"
            )
        number = file.fileno()
        if hasattr(os, "posix_fadvise"):  # all of it is wanted, and soon
            os.posix_fadvise(number, piece.offset, piece.nbytes, os.POSIX_FADV_WILLNEED)
        start, length = piece.offset - skip, skip + piece.nbytes
        mapped = mmap.mmap(number, length, access=mmap.ACCESS_READ, offset=start)
    content = memoryview(mapped)[skip:]
    return as_tensor(content, piece.dtype, piece.shape, piece.path, piece.tensor)


def fetch(piece: Slice) -> Weights:
    """Map a slice and bring its pages into memory.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    cached = is_cached(piece.path, piece.offset, piece.nbytes)
    array = read_slice(piece)
    if piece.whole:
        return Weights(array, hash_weights(array), cached)
    array.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max(initial=0)
    return Weights(array, None, cached)


def solve_slice(piece: Slice) -> Solved:
    """Read a slice and solve it.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    InvalidInput
        Naming the file, the tensor and the first entry that is not finite.
    """
    return solve_weights(piece, fetch(piece))


def solve_weights(piece: Slice, weights: Weights) -> Solved:
    """Solve a slice whose weights are at hand."""
    mask = _room(weights.array.size).reshape(piece.shape)
    try:
        array, axes, threads = weights.array, piece.axes, piece.threads
        problem = Problem(array, piece.pattern, np.abs, axes, threads, mask=mask)
        result = solve_problem(problem, method=piece.method, options=piece.options)
        if piece.repair and result.status is Status.UNDERFILLED:
            result = repair(array, result.mask, piece.pattern, axes=axes, threads=threads)
    except InvalidInput as error:
        if isinstance(error, InvalidScore):
            error = error.within("weights", piece.start)
        raise InvalidInput(f"{piece.path}: tensor {piece.tensor!r}: {error}") from None
    figures = (result.method, result.objective, result.upper_bound, result.status)
    return Solved(pack(result.mask), *figures, weights.hash, weights.cached)


_ROOM = threading.local()


def _room(entries: int) -> NDArray[np.bool_]:
    """Return room for a mask, the same one for every slice that a thread solves.

    Memory that was just used is faster than any that the system would have to find.
    """
    room: NDArray[np.bool_] | None = getattr(_ROOM, "mask", None)
    if room is None or room.size < entries:
        room = _ROOM.mask = np.empty(entries, dtype=np.bool_)
    return room[:entries]
