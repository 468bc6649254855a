"""A mask, what is claimed of it, and the weights that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masksolve.checks import check_mask, refuse_violation
from masksolve.errors import InvalidInput, MaskViolation
from masksolve.inputs import as_axes, as_mask, as_real
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.result import Status
from masksolve.solving import certify as prove
from masksolve.storage.hashing import hash_weights
from masksolve.storage.packing import dtype_code, set_zeros
from masksolve.storage.records import MaskRecord
from masksolve.tiles import TileLayout

__all__ = ["StoredMask", "refuse_overfull"]


@dataclass(frozen=True, eq=False)
class StoredMask:
    """A mask as files hold it: with claims, and the hash of the weights it belongs to.

    Attributes
    ----------
    mask : ndarray of bool
        Shape of the weights, True = kept.
    record : MaskRecord
        What is known of it; its entries are attributes of the mask as well.
    """

    mask: NDArray[np.bool_]
    record: MaskRecord

    @classmethod
    def of(
        cls,
        mask: ArrayLike,
        pattern: Pattern | str,
        weights: ArrayLike,
        *,
        axes: tuple[int, int] = (-2, -1),
        parts: int = 1,
        method: str = "given",
        certify: bool = False,
    ) -> StoredMask:
        """Take a mask from anywhere, for the weights that it belongs to.

        Parameters
        ----------
        mask : array_like of bool, or of 0 and 1
            Lines of an exactly-n pattern may be short: the status says so.
        pattern : Pattern or str
        weights : array_like
            Of a dtype that safetensors has.
        axes, parts
            As for `Layout`.
        method : str
            Where it comes from.
        certify : bool
            Whether to prove a bound, which takes about as long as to solve.

        Raises
        ------
        MaskViolation
            If a line keeps too many.
        InvalidInput, InvalidPattern
            If the arguments do not fit together.

        Examples
        --------
        >>> import numpy as np
        >>> weights = np.arange(16.0).reshape(4, 4)
        >>> stored = StoredMask.of(np.tile(np.eye(2), (2, 2)), "2:4", weights, certify=True)
        >>> stored.objective, stored.upper_bound, stored.status.name
        (60.0, 60.0, 'OPTIMAL')
        """
        pattern = Pattern.parse(pattern)
        array, kept = as_real(weights, "weights"), as_mask(mask)
        layout = Layout(as_axes(axes, kept.ndim, "mask"), parts)
        if kept.shape != array.shape:
            raise InvalidInput(
                f"mask has shape {kept.shape}: expected that of weights, {array.shape}"
            )
        refuse_overfull(kept, pattern, layout)
        matrices, matrix_axes = layout.matrices(kept), layout.matrix_axes
        if certify:
            found = prove(layout.matrices(array), matrices, pattern, axes=matrix_axes)
            score, bound, status = found.objective, found.upper_bound, found.status
        else:
            score, bound = _kept_score(array, kept), None
            status = _status(matrices, pattern, matrix_axes)
        own = dtype_code(array), hash_weights(array)
        record = MaskRecord(kept.shape, pattern, layout, method, score, bound, status, *own)
        return cls(kept, record)

    @property
    def pattern(self) -> Pattern:
        """The pattern that the mask obeys."""
        return self.record.pattern

    @property
    def layout(self) -> Layout:
        """Where the matrices lie: their axes, and how many are stacked along the first."""
        return self.record.layout

    @property
    def axes(self) -> tuple[int, int]:
        """The (output, input) axes of the matrix."""
        return self.record.layout.axes

    @property
    def method(self) -> str:
        """What made the mask."""
        return self.record.method

    @property
    def objective(self) -> float:
        """Kept score: a claim, like the two that follow; `certify` checks them."""
        return self.record.objective

    @property
    def upper_bound(self) -> float | None:
        """Proven bound on any mask's score, if there is one."""
        return self.record.upper_bound

    @property
    def status(self) -> Status:
        """How good the mask is for its weights."""
        return self.record.status

    @property
    def dtype(self) -> str | None:
        """The dtype of the weights that the mask belongs to, as safetensors calls it."""
        return self.record.dtype

    @property
    def weights(self) -> str | None:
        """The hash of the weights that the mask belongs to; None if that is not known."""
        return self.record.weights

    def check(self, weights: ArrayLike) -> None:
        """Raise unless the mask belongs to these very weights, bit for bit.

        Raises
        ------
        InvalidInput
            If they are others, or if the mask does not say which are its own.

        Examples
        --------
        >>> import numpy as np
        >>> weights = np.arange(16.0).reshape(4, 4)
        >>> stored = StoredMask.of(np.eye(4), "1:4", weights)
        >>> stored.check(weights)
        >>> stored.check(2 * weights)
        Traceback (most recent call last):
            ...
        masksolve.errors.InvalidInput: the mask belongs to other weights: their hash is ...
        """
        array = self.fitting(weights)
        self.check_hash(dtype_code(array), lambda: hash_weights(array))

    def check_hash(self, dtype: str, hashed: Callable[[], str]) -> None:
        """Do what `check` does, given the dtype and a function that works out the hash."""
        if self.weights is None:
            raise InvalidInput("the mask does not say which weights it belongs to")
        if dtype != self.dtype:
            raise InvalidInput(f"the mask belongs to {self.dtype} weights: these are {dtype}")
        found = hashed()
        if found != self.weights:
            raise InvalidInput(
                f"the mask belongs to other weights: their hash is {self.weights}, "
                f"that of these {found}"
            )

    def apply(self, weights: ArrayLike, *, force: bool = False) -> NDArray[Any]:
        """Return a copy of the weights with zeros where the mask has them.

        Parameters
        ----------
        weights : array_like
        force : bool
            Whether any weights of the mask's shape will do.

        Returns
        -------
        ndarray
            Of the weights' dtype; what is pruned is +0.0.

        Raises
        ------
        InvalidInput
            If the mask belongs to other weights, as `check` says.
        """
        array = self.fitting(weights)
        if not force:
            self.check(array)
        return set_zeros(np.array(array, order="C"), self.mask)

    def fitting(self, weights: ArrayLike) -> NDArray[Any]:
        """Return the weights as an array, if they have the mask's shape."""
        array = as_real(weights, "weights")
        if array.shape != self.mask.shape:
            raise InvalidInput(
                f"the mask has shape {self.mask.shape}: these weights have {array.shape}"
            )
        return array


def refuse_overfull(mask: NDArray[np.bool_], pattern: Pattern, layout: Layout) -> None:
    """Raise for a line that keeps too many; too few are no matter."""
    matrices = layout.matrices(mask)
    tiles = TileLayout(matrices.shape, layout.matrix_axes, pattern.tile_shape)
    refuse_violation(matrices, tiles, pattern, short=False)


def _status(matrices: NDArray[np.bool_], pattern: Pattern, axes: tuple[int, int]) -> Status:
    try:
        check_mask(matrices, pattern, axes=axes)
    except MaskViolation:
        return Status.UNDERFILLED
    return Status.FEASIBLE


def _kept_score(array: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    # By slices of the first axis: little memory.
    total = float(
        sum(
            np.abs(np.asarray(part, dtype=np.float64)).sum(where=kept)
            for part, kept in zip(array, mask, strict=True)
        )
    )
    if not np.isfinite(total):
        raise InvalidInput("the mask keeps weights that are not finite")
    return total
