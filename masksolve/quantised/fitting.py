"""Which block of weights each scale counts for, by shapes and what the configuration says."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from masksolve.quantised.files import Files
from masksolve.quantised.grid import Grid
from masksolve.quantised.packing import Packing
from masksolve.storage.tensors import NUMBERS, describe_dtype

__all__ = ["BLOCK", "Unfit", "fit"]

BLOCK = 128
"""Side of a block where nothing tells."""


class Unfit(Exception):
    """A scale that does not fit its weight: the message is a whole sentence."""


def fit(
    files: Files,
    name: str,
    weight: str,
    shape: Sequence[int],
    *,
    dtype: str | None = None,
    divides: bool = False,
    packing: Packing | None = None,
    ones: int = 0,
    inner: int = -1,
) -> Grid:
    """Say for which weights each of some numbers counts.

    Parameters
    ----------
    files : Files
    name : str
        Of the tensor with the numbers.
    weight : str
        Of the tensor with the codes, for messages.
    shape : sequence of int
        Of the weights.
    dtype : str, optional
        To read the numbers as.
    divides, packing, ones
        See `Grid`.
    inner : int
        The axis of the weights' inputs, along which there are groups.

    Raises
    ------
    Unfit
        If they fit the weights in no way, or are no numbers.
    """
    held, kind = files.tensors[name].shape, files.tensors[name].dtype
    if kind not in NUMBERS:
        raise Unfit(
            f"{files.where(name)} is {describe_dtype(kind)}: numbers for {weight!r} were expected"
        )
    numbers = _unpacked(held, packing, shape)
    blocks = None if numbers is None else _blocks(numbers, shape, files.settings.blocks, inner)
    if numbers is None or blocks is None:
        raise Unfit(
            f"{files.where(name)} is {_sides(held)}, which does not fit {weight!r} of "
            f"{_sides(shape)} weights"
        )
    place = files.place(name, dtype)
    return Grid(place, tuple(numbers), blocks, divides=divides, packing=packing, ones=ones)


def _sides(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _unpacked(
    held: Sequence[int], packing: Packing | None, shape: Sequence[int]
) -> list[int] | None:
    """Give numbers as many dimensions as the weights have."""
    found = list(held)
    if prod(found) == 1 and packing is None:
        return [1] * len(shape)
    if len(found) > len(shape):  # blocks with a side for what each stands for
        found = [side for side in found if side != 1]
    if len(found) < len(shape) and found == list(shape[: len(found)]):
        found += [1] * (len(shape) - len(found))  # one for each row, or for each matrix
    if len(found) != len(shape):
        return None
    if packing is not None:
        whole = found[packing.axis] * packing.codes
        side = shape[packing.axis]
        found[packing.axis] = side if 0 <= whole - side < packing.codes else whole
    return found


def _blocks(
    numbers: Sequence[int], shape: Sequence[int], known: Sequence[tuple[int, int]], inner: int
) -> tuple[int, ...] | None:
    """Choose sides of blocks that give as many numbers: where sizes are named, of these."""
    matrix = range(len(shape) - 2, len(shape))
    usual = [BLOCK] * all(1 < numbers[axis] < shape[axis] for axis in matrix)
    found = []
    for axis, (count, side) in enumerate(zip(numbers, shape, strict=True)):
        blocks = [*usual, side // max(1, count), BLOCK]
        if known and axis in matrix and 1 < count < side:
            blocks = [pair[axis - len(shape) == inner] for pair in known]
        fits = [block for block in blocks if block and count == -(-side // block)]
        if not fits:
            return None
        found.append(fits[0])
    return tuple(found)
