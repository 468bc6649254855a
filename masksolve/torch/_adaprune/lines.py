"""A weight as the lines that its outputs are products of, and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from masksolve.torch.layouts import Layout

__all__ = ["Form"]


@dataclass(frozen=True, slots=True)
class Form:
    """How a weight of some shape falls into lines: (parts, outputs, features).

    The features of an output are everything that it is a sum over, in the weight's order:
    of a convolution the inputs, and for each the positions of the kernel.

    Parameters
    ----------
    layout : Layout
    shape : tuple of int
        The weight's.

    Examples
    --------
    >>> import torch
    >>> form = Form(Layout(parts=2), (6, 4, 3, 3))  # a convolution of 8 inputs in 2 groups
    >>> lines = form.lines(torch.zeros(6, 4, 3, 3))
    >>> tuple(lines.shape), tuple(form.weight(lines).shape)
    ((2, 3, 36), (6, 4, 3, 3))
    >>> tuple(form.weight(lines[:1]).shape)  # one group alone
    (3, 4, 3, 3)
    """

    layout: Layout
    shape: tuple[int, ...]

    def lines(self, weight: Tensor) -> Tensor:
        """Lay a weight, or something of its shape, out as lines."""
        matrices = self.layout.matrices(weight)
        if self.layout.parts == 1:
            matrices = matrices.unsqueeze(0)
        return matrices.movedim(self.layout.axes[0] + 1, 1).flatten(2)

    def weight(self, lines: Tensor) -> Tensor:
        """Put lines together again; some of the parts make a smaller weight."""
        output = self.layout.axes[0]
        others = [side for axis, side in enumerate(self.shape) if axis != output]
        matrices = lines.unflatten(2, others).movedim(1, output + 1)
        return matrices.reshape(-1, *matrices.shape[2:])

    def part(self, parts: int) -> Form:
        """Return the form of so many of the parts."""
        first = self.shape[0] * parts // self.layout.parts
        return Form(Layout(self.layout.axes, parts), (first, *self.shape[1:]))

    @property
    def outputs(self) -> int:
        """How many outputs there are in all."""
        return self.layout.parts * self.layout.sides(self.shape)[0]

    @property
    def features(self) -> int:
        """How many numbers each output is a sum over."""
        return prod(self.shape) // self.outputs
