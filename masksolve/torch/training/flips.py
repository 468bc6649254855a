"""Which entries of the masks flipped at which step, for distances between any two."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.scores import own_space
from masksolve.torch.layer import Layer

__all__ = ["Flips", "flipped", "flips_of"]

BUDGET = 1 << 28
"""Bytes; beyond them neighbouring steps are put together."""


def flipped(old: NDArray[np.bool_] | Tensor, new: NDArray[np.bool_] | Tensor) -> NDArray[np.uint32]:
    """Return the flat positions at which two masks differ, compared where the new one is."""
    if isinstance(new, Tensor):
        differ = torch.as_tensor(old, device=new.device) != new
        places: NDArray[np.int64] = differ.reshape(-1).nonzero()[:, 0].numpy(force=True)
        return places.astype(np.uint32)
    if isinstance(old, Tensor):
        old = old.numpy(force=True)
    return _flipped(np.ascontiguousarray(old), np.ascontiguousarray(new))


def flips_of(layer: Layer, mask: NDArray[np.bool_] | Tensor) -> NDArray[np.uint32]:
    """Return where a mask differs from the layer's last; nowhere from none at all."""
    # What was solved last counts, whatever was loaded since.
    if layer.result is not None:
        return flipped(layer.result.mask.reshape(mask.shape), mask)
    before = layer.mask if layer.mask.is_cuda else layer.mask.numpy(force=True)
    if before.all():
        return np.empty(0, dtype=np.uint32)
    return flipped(before, mask)


def _flipped(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> NDArray[np.uint32]:
    from masksolve.kernels.flips import list_flips

    old, new = old.reshape(-1), new.reshape(-1)
    whole = old.size & ~7
    places = own_space("flips", old.size, np.uint32)
    count = list_flips(old[:whole].view(np.uint64), new[:whole].view(np.uint64), places)
    rest = whole + np.flatnonzero(old[whole:] != new[whole:]).astype(np.uint32)
    return np.concatenate([places[:count], rest])


class Flips:
    """The flips of one mask over time.

    Two masks of an exactly-n pattern differ by SAD, the sum of absolute differences
    (Zhou et al. 2021): how many positions flipped an odd number of times in between.

    Examples
    --------
    >>> import numpy as np
    >>> flips = Flips(step=0)
    >>> flips.add(1, np.array([3, 5], dtype=np.uint32))
    >>> flips.add(2, np.array([5, 9], dtype=np.uint32))
    >>> flips.sad(0, 2), flips.sad(0, 1), flips.sad(2, 2)
    (2, 2, 0)
    """

    def __init__(self, step: int, budget: int = BUDGET) -> None:
        self.steps = [step]
        """Between which distances are known, in order."""
        self._changes: list[NDArray[np.uint32]] = []
        self._merged: list[bool] = []
        self._budget, self._bytes = budget, 0

    def add(self, step: int, positions: NDArray[np.uint32]) -> None:
        """Note what flipped at a step; the same step again joins what it has.

        At the first step of all, masks are the first ones once they flip no more.
        """
        if step == self.steps[-1] and not self._changes:
            return
        if step == self.steps[-1]:
            self._bytes -= self._changes[-1].nbytes
            self._changes[-1] = positions = odd([self._changes[-1], positions])
        else:
            self.steps.append(step)
            self._changes.append(positions)
            self._merged.append(False)
        self._bytes += positions.nbytes
        while self._bytes > self._budget and len(self._changes) > 1:
            self._merge()

    def sad(self, since: int, until: int) -> int:
        """Return the distance of the masks after two steps.

        Raises
        ------
        InvalidInput
            If a step lies before the first mask, or between two that were put together.
        """
        first, last = sorted((self._place(since), self._place(until)))
        return int(odd(self._changes[first:last]).size)

    def from_first(self) -> list[int]:
        """Return by how much each mask differs from the first, in one pass over all flips."""
        largest = (int(positions.max()) for positions in self._changes if positions.size)
        differs = np.zeros(1 + max(largest, default=0), dtype=np.bool_)
        found = [0]
        for positions in self._changes:
            differs[positions] ^= True
            came = int(np.count_nonzero(differs[positions]))
            found.append(found[-1] + 2 * came - positions.size)
        return found

    def _place(self, step: int) -> int:
        """Return how many changes there were up to a step; masks stay until the next."""
        place = bisect_right(self.steps, step) - 1
        if place < 0:
            raise InvalidInput(
                f"there were no masks at step {step}: the first are of step {self.steps[0]}"
            )
        if step > self.steps[place] and place < len(self._merged) and self._merged[place]:
            raise InvalidInput(
                f"the masks of step {step} are no longer kept: the nearest are those of "
                f"steps {self.steps[place]} and {self.steps[place + 1]}"
            )
        return place

    def _merge(self) -> None:
        """Put neighbours together, two by two: half the steps, and fewer positions."""
        pairs = range(0, len(self._changes), 2)
        self._merged = [k + 1 < len(self._changes) or self._merged[k] for k in pairs]
        self._changes = [odd(self._changes[k : k + 2]) for k in pairs]
        self.steps = [self.steps[0], *(self.steps[min(k + 2, len(self.steps) - 1)] for k in pairs)]
        self._bytes = sum(positions.nbytes for positions in self._changes)


def odd(changes: list[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """Return the positions that occur an odd number of times."""
    if len(changes) == 1:
        return changes[0]
    if not changes:
        return np.empty(0, dtype=np.uint32)
    positions, times = np.unique(np.concatenate(changes), return_counts=True)
    found: NDArray[np.uint32] = positions[times % 2 == 1]
    return found
