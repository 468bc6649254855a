"""Sums over rows of inputs: all that a layer's squared error depends on, whatever its new weight.

With x' a row of inputs that the new weight V multiplies, and y what it should give, the error
sum |y - V x'|^2 is a quadratic form of

    G = sum x' x'^T,   T = sum y x'^T,   sum |y|^2

and of the sums of x' and y. Where y is what a dense weight W makes of other inputs x, T is W C^T
and sum |y|^2 is <W D, W> with C = sum x' x^T, D = sum x x^T: sums that serve any W.
"""

from __future__ import annotations

import torch
from torch import Tensor

from masksolve.errors import InvalidInput

__all__ = ["Moments"]

BLOCK = 192
"""Features. Of a matrix of products with itself the blocks below the diagonal are not computed."""


class Moments:
    """The sums over rows.

    Rows are (rows, features), or (parts, rows, features) for a layer of several parts that each
    multiply inputs of their own; everything here has the axis of parts in front.

    Parameters
    ----------
    dtype : torch.float64 or torch.float32
        Of the sums of products. Single precision takes half the memory; other sums are in double
        precision always.

    Attributes
    ----------
    rows : int
    gram : Tensor, (parts, features, features)
        G.
    cross, dense : Tensor, (parts, features, features)
        C and D; they are `gram` where y comes of the same inputs.
    target : Tensor, (parts, outputs, features)
        T, where y was given.
    sum, dense_sum : Tensor, (parts, features)
        Of x' and of x.
    wanted_sum, wanted_squares : Tensor, (parts, outputs)
        Of y, where it was given.

    Examples
    --------
    >>> import torch
    >>> moments = Moments()
    >>> moments.add(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    >>> moments.rows, moments.gram.tolist()
    (2, [[[10.0, 14.0], [14.0, 20.0]]])
    """

    gram: Tensor
    cross: Tensor
    dense: Tensor
    target: Tensor
    sum: Tensor
    dense_sum: Tensor
    wanted_sum: Tensor
    wanted_squares: Tensor

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        self.rows = 0
        self._dtype = dtype
        self._kind = ""

    @property
    def given(self) -> bool:
        """Whether y was given."""
        return self._kind == "wanted"

    def add(
        self, inputs: Tensor, dense: Tensor | None = None, wanted: Tensor | None = None
    ) -> None:
        """Add rows.

        Parameters
        ----------
        inputs : Tensor, (rows, features) or (parts, rows, features)
            x', that the new weight multiplies.
        dense : Tensor of that shape, optional
            x, that the dense weight multiplies. Default: the same.
        wanted : Tensor, (rows, outputs) or (parts, rows, outputs), optional
            y, a bias included: what the layer should give. Instead of `dense`.

        Raises
        ------
        InvalidInput
            If rows of one kind follow others, or do not go together.
        """
        same = dense is None or dense is inputs
        kind = "wanted" if wanted is not None else "same" if same else "dense"
        if wanted is not None and dense is not None:
            raise InvalidInput("give the outputs that are wanted or the dense inputs, not both")
        if self._kind not in ("", kind):
            raise InvalidInput(f"rows of kind {kind!r} cannot follow rows of kind {self._kind!r}")
        others = [x for x in (dense, wanted) if x is not None]
        if any(x.ndim != inputs.ndim or x.shape[:-1] != inputs.shape[:-1] for x in others):
            raise InvalidInput(
                f"as many rows were expected as there are of inputs, {tuple(inputs.shape)}, got "
                f"{', '.join(str(tuple(x.shape)) for x in others)}"
            )
        self._kind = kind
        now = _Rows(inputs)
        self._sum("gram", now.squares(self._dtype), self._dtype)
        self._sum("sum", now.sum)
        if kind == "dense" and dense is not None:
            before = _Rows(dense)
            self._sum("cross", now.products(before, self._dtype), self._dtype)
            self._sum("dense", before.squares(self._dtype), self._dtype)
            self._sum("dense_sum", before.sum)
        elif wanted is not None:
            goal = _Rows(wanted)
            self._sum("target", goal.products(now, self._dtype), self._dtype)
            self._sum("wanted_sum", goal.sum)
            self._sum("wanted_squares", goal.energies)
        else:
            self.cross, self.dense, self.dense_sum = self.gram, self.gram, self.sum
        self.rows += now.count

    @property
    def finite(self) -> bool:
        """Whether all of them are finite."""
        said = self.wanted_squares if self.given else self.dense.diagonal(dim1=-2, dim2=-1)
        diagonal = self.gram.diagonal(dim1=-2, dim2=-1)  # of squares: no product is larger
        return bool(diagonal.isfinite().all()) and bool(said.isfinite().all())

    def _sum(self, name: str, more: Tensor, dtype: torch.dtype = torch.float64) -> None:
        if self.rows:
            getattr(self, name).add_(more)
        else:
            setattr(self, name, more.to(dtype))


class _Rows:
    """Rows, (parts, rows, features), about their means.

    Products in single precision are then as good as what varies, however large the means.
    """

    def __init__(self, rows: Tensor) -> None:
        rows = rows if rows.ndim == 3 else rows.unsqueeze(0)
        rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
        centre = rows.mean(1, keepdim=True)
        self._apart = rows - centre
        self._centre = centre.double()
        self._rest = self._apart.sum(1, keepdim=True, dtype=torch.float64)
        self.count = rows.shape[1]

    @property
    def sum(self) -> Tensor:
        """The sum of the rows, (parts, features)."""
        return (self.count * self._centre + self._rest).squeeze(1)

    @property
    def energies(self) -> Tensor:
        """The sums of squares, (parts, features)."""
        apart = self._apart.square().sum(1, dtype=torch.float64)
        return apart + ((self.count * self._centre + 2 * self._rest) * self._centre).squeeze(1)

    def squares(self, dtype: torch.dtype) -> Tensor:
        """Return the sum of products with themselves, (parts, features, features)."""
        return self._with_means(_symmetric(self._apart), self, dtype)

    def products(self, other: _Rows, dtype: torch.dtype) -> Tensor:
        """Return the sum of products with other rows, (parts, features, its features)."""
        return self._with_means(self._apart.mT @ other._apart, other, dtype)

    def _with_means(self, apart: Tensor, other: _Rows, dtype: torch.dtype) -> Tensor:
        # In place: of wide layers each of these is gigabytes.
        left = torch.cat([self._centre, self._rest], 1)
        right = torch.cat([self.count * other._centre + other._rest, other._centre], 1)
        return apart.to(dtype).baddbmm_(left.mT.to(dtype), right.to(dtype))


def _symmetric(x: Tensor) -> Tensor:
    """Return the products of columns, half of them by symmetry."""
    features = x.shape[-1]
    if features <= 2 * BLOCK:
        return x.mT @ x
    found = x.new_empty(x.shape[0], features, features)
    for first in range(0, features, BLOCK):
        last = min(first + BLOCK, features)
        found[:, first:last, first:] = x[..., first:last].mT @ x[..., first:]
        found[:, last:, first:last] = found[:, first:last, last:].mT
    return found
