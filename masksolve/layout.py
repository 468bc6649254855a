"""How an array holds the matrix, or matrices, that its products multiply."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from masksolve.errors import InvalidInput

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A parameter as matrices (output, input).

    Parameters
    ----------
    axes : tuple of int
        The parameter's output and input axes, counted from 0; the others are a batch.
    parts : int
        The first axis holds so many matrices, one after the other: groups of a
        convolution, or query, key and value packed together.

    Examples
    --------
    >>> import numpy as np
    >>> layout = Layout((0, 1), parts=3)  # query, key and value of width 16
    >>> layout.matrices(np.zeros((48, 16))).shape, layout.matrix_axes
    ((3, 16, 16), (1, 2))
    """

    axes: tuple[int, int] = (0, 1)
    parts: int = 1

    def __post_init__(self) -> None:
        try:
            first, second = (operator.index(axis) for axis in self.axes)
            fine = first != second and min(first, second) >= 0
            fine = fine and operator.index(self.parts) >= 1
        except (TypeError, ValueError):
            fine = False
        if not fine:
            raise InvalidInput(
                "a layout takes two axes counted from 0 and a number of parts, "
                f"got {self.axes!r} and {self.parts!r}"
            )

    @property
    def matrix_axes(self) -> tuple[int, int]:
        """The output and input axes of what `matrices` returns."""
        shift = int(self.parts > 1)
        return self.axes[0] + shift, self.axes[1] + shift

    def matrices(self, values: Any) -> Any:
        """View a tensor or array of the parameter's shape with an axis for parts, if many.

        Raises
        ------
        InvalidInput
            If the first axis does not fall into so many parts.
        """
        if self.parts == 1:
            return values
        first, *others = values.shape
        if first % self.parts:
            raise InvalidInput(f"an axis of {first} does not fall into {self.parts} parts")
        return values.reshape(self.parts, first // self.parts, *others)

    def sides(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the numbers of outputs and of inputs of each matrix."""
        sides = [shape[axis] for axis in self.axes]
        for k, axis in enumerate(self.axes):
            if axis == 0:
                sides[k] //= self.parts
        return sides[0], sides[1]
