"""The unit of work: a slice of a tensor in a file, solved wherever the file can be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.reading import Arriving, read
from masksolve.checkpoints.rooms import Room
from masksolve.errors import FileFormatError, InvalidInput, InvalidScore
from masksolve.pattern import Pattern
from masksolve.problem import Problem
from masksolve.quantised import Coding
from masksolve.result import MaskResult, Status
from masksolve.solving import repair, solve_problem
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.packing import pack
from masksolve.storage.tensors import as_dtype, as_tensor
from masksolve.threads import Progress
from masksolve.totals import Total

__all__ = [
    "Rival",
    "Slice",
    "Solved",
    "Weights",
    "begin_reading",
    "know",
    "read_slice",
    "solve_slice",
    "solve_weights",
]


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
    compare : tuple of str
        Other methods to solve it by, for their figures alone.
    keep : bool
        Whether whoever writes wants the weights.
    threads : int or None
        To solve it with; None: every core of the machine.
    coding : Coding or None
        How its bytes become weights, if they are codes: then `start` and `shape` count those.
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
    compare: tuple[str, ...] = ()
    keep: bool = False
    threads: int | None = None
    coding: Coding | None = None

    @property
    def first(self) -> bool:
        """Whether its tensor begins with it."""
        return not any(self.start)

    def follows(self, other: Slice) -> bool:
        """Tell whether it goes on where another of its tensor ends."""
        mine, theirs = (self.path, self.tensor), (other.path, other.tensor)
        return mine == theirs and self.offset == other.offset + other.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights of a slice, in memory of our own: nobody can change them.

    Attributes
    ----------
    array : ndarray
        Their bytes, if they are codes.
    hash : str
    upto : bool
        Whether that is the hash of its tensor up to the end of the slice, not of the slice
        alone.
    total : float
        Sum of their magnitudes; of codes 0.
    room : Room
        Where they lie.
    """

    array: NDArray[Any]
    hash: str
    upto: bool
    total: float
    room: Room


class Rival(NamedTuple):
    """What another method makes of a slice."""

    objective: float
    short_tiles: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Solved:
    """What is known of a slice when it is solved; without `weights` it can be pickled.

    Attributes
    ----------
    packed : ndarray of uint8
        Its mask, eight entries to a byte.
    method : str
        ``"repair"`` where that had something to fill.
    objective : float
    upper_bound : float or None
    status : Status
    hash, upto, total : str, bool, float or None
        Of the weights that were solved: see `Weights`.
    tiles, short_tiles : int
    seconds : float
        That it took to solve.
    rivals : tuple of Rival
        In the order of ``Slice.compare``.
    weights : Weights or None
        Themselves, if they were asked for and were solved in this process.
    release : callable
        To be called when `weights` are not needed any more.
    """

    packed: NDArray[np.uint8]
    method: str
    objective: float
    upper_bound: float | None
    status: Status
    hash: str
    upto: bool
    total: float | None
    tiles: int
    short_tiles: int
    seconds: float
    rivals: tuple[Rival, ...] = ()
    weights: Weights | None = None
    release: Callable[[], None] | None = None


def begin_reading(piece: Slice, room: Room | None = None) -> Arriving:
    """Get ready to read the bytes of a slice, no others."""
    return Arriving(piece.path, piece.offset, piece.nbytes, room)


def read_slice(piece: Slice) -> NDArray[Any]:
    """Read a slice.

    Returns
    -------
    ndarray
        Read-only; bytes, if they are codes.

    Raises
    ------
    FileFormatError
        If the file is missing, or shorter than it was.
    """
    return _as_array(piece, read(piece.path, piece.offset, piece.nbytes))


def _as_array(piece: Slice, content: NDArray[np.uint8]) -> NDArray[Any]:
    if content.size < piece.nbytes:
        raise FileFormatError(f"{piece.path} was cut short while tensor {piece.tensor!r} was read")
    if piece.coding is not None:
        array = content[: piece.nbytes]
    else:
        array = as_tensor(content, piece.dtype, piece.shape, piece.path, piece.tensor)
    array.setflags(write=False)
    return array


def know(piece: Slice, arriving: Arriving, upto: WeightsHash | None = None) -> Weights:
    """Hash and sum the weights of a slice, as they come.

    Parameters
    ----------
    piece : Slice
    arriving : Arriving
        Its bytes.
    upto : WeightsHash, optional
        The hash of all of its tensor that comes before it; it goes on with the slice.

    Raises
    ------
    FileFormatError
        If they cannot be read, or the file is shorter than it was.
    """
    state, total, dtype = upto or WeightsHash(), Total(), as_dtype(piece.dtype)
    for part in arriving.pieces():
        state.update(part)
        if piece.coding is None:
            total.add(part[: part.size // dtype.itemsize * dtype.itemsize].view(dtype))
    array = _as_array(piece, arriving.content)
    whole = piece.whole or upto is not None
    return Weights(array, state.text, whole, total.value, arriving.room)


def solve_slice(piece: Slice) -> Solved:
    """Read a slice and solve it, wherever the file can be seen.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    InvalidInput
        Naming the file, the tensor and the first entry that is not finite.
    """
    return solve_weights(piece, know(piece, begin_reading(piece)))


def solve_weights(piece: Slice, weights: Weights, progress: Progress = False) -> Solved:
    """Solve a slice whose weights are at hand."""
    mask = _room(prod(piece.shape)).reshape(piece.shape)
    array, sum_of_all = weights.array, weights.total
    if piece.coding is not None:
        array, magnitudes = piece.coding.decode(array, piece.start, piece.shape), Total()
        magnitudes.add(array.reshape(-1))
        sum_of_all = magnitudes.value
    axes, threads = piece.axes, piece.threads

    def solve(method: str, options: dict[str, float], progress: Progress = False) -> MaskResult:
        problem = Problem(array, piece.pattern, np.abs, axes, threads, mask=mask)
        return solve_problem(problem, method=method, options=options, progress=progress)

    try:
        result = solve(piece.method, piece.options, progress)
        seconds = result.stats["seconds"]
        if piece.repair and result.status is Status.UNDERFILLED:
            result = repair(array, result.mask, piece.pattern, axes=axes, threads=threads)
            seconds += result.stats["seconds"]
        packed = pack(result.mask)
        rivals = []
        for method in piece.compare:
            other = solve(method, {})
            short, took = other.stats["short_tiles"], other.stats["seconds"]
            rivals.append(Rival(other.objective, short, took))
    except InvalidInput as error:
        if isinstance(error, InvalidScore):
            error = error.within("weights", piece.start)
        raise InvalidInput(f"{piece.path}: tensor {piece.tensor!r}: {error}") from None
    return Solved(
        packed,
        result.method,
        result.objective,
        result.upper_bound,
        result.status,
        weights.hash,
        weights.upto,
        sum_of_all,
        result.stats["tiles"],
        result.stats["short_tiles"],
        seconds,
        tuple(rivals),
    )


_ROOM = threading.local()


def _room(entries: int) -> NDArray[np.bool_]:
    """Return room for a mask, the same one for every slice that a thread solves."""
    room: NDArray[np.bool_] | None = getattr(_ROOM, "mask", None)
    if room is None or room.size < entries:
        room = _ROOM.mask = np.empty(entries, dtype=np.bool_)
    return room[:entries]
