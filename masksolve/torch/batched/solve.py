"""Masks of whole matrices by the methods of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from masksolve.errors import UnknownMethod
from masksolve.limits import LARGEST_SCORE
from masksolve.solvers import METHODS, as_options
from masksolve.torch.batched.chunks import WIDE, chunks
from masksolve.torch.batched.entropic import entropic
from masksolve.torch.batched.greedy import greedy
from masksolve.torch.batched.lines import select, two_approx
from masksolve.torch.results import first_bad

__all__ = ["IN_TORCH", "BatchedMethods", "TileMethod", "solve_batched"]

TileMethod: TypeAlias = Callable[..., Tensor]
"""``method(scores, n, at_most, **options)`` takes tiles (tiles, h, w) of float32 or float64,
contiguous and finite, and returns their masks."""


@dataclass(frozen=True)
class BatchedMethods:
    """One way to run the methods.

    Attributes
    ----------
    transposable, plain : mapping of str to TileMethod
        By name, for the two kinds of patterns; plain ones come as tiles of one row.
    copies : int
        Space that a chunk takes, in copies of its tiles.
    """

    transposable: Mapping[str, TileMethod]
    plain: Mapping[str, TileMethod]
    copies: int

    def of(self, transposable: bool) -> Mapping[str, TileMethod]:
        """Return the methods for a kind of patterns."""
        return self.transposable if transposable else self.plain


IN_TORCH = BatchedMethods(
    {"greedy": greedy, "entropic": entropic, "two_approx": two_approx}, {"exact": select}, copies=20
)
"""Step by step, on any device."""

SCRATCH = 1 << 28
"""Most bytes that a chunk takes, the tiles' copy included."""


def solve_batched(
    matrices: Tensor,
    n: int,
    m: int,
    *,
    method: str,
    transposable: bool = True,
    at_most: bool = False,
    magnitude: bool = True,
    options: Mapping[str, float] | None = None,
    methods: BatchedMethods = IN_TORCH,
) -> Tensor:
    """Find masks of matrices on any device, all tiles of a chunk at once.

    The masks are those of `masksolve.solve`, but where sums that decide are rounded in
    another way: ``entropic`` reckons in single precision, unless the entries need double.

    Parameters
    ----------
    matrices : Tensor, (batch, rows, columns)
        Of any real dtype and strides; never modified.
    n, m : int
        ``1 <= n <= m <= 64``.
    method : str
        ``"greedy"``, ``"two_approx"``, ``"entropic"``; ``"exact"`` for plain patterns, which
        that alone solves.
    transposable : bool
        False: only rows obey the pattern, in groups of m.
    at_most : bool
        Whether lines of full tiles may hold fewer; those of partial ones always may.
    magnitude : bool
        Whether the scores are the entries' magnitudes, or else the entries.
    options : mapping of str to float, optional
        As for `masksolve.solve`.
    methods : BatchedMethods
        How they run.

    Returns
    -------
    Tensor of bool, (batch, rows, columns)
        On the same device. The host waits for it once, to learn that all scores are finite.

    Raises
    ------
    InvalidInput
        For a score that is not finite (naming the first), or options that the method does
        not take.
    UnknownMethod
        If the method is not one of these, or cannot solve the pattern.

    Examples
    --------
    >>> weights = torch.tensor([[[4., 1, 0, 2], [3, 5, 1, 0], [0, 1, -6, 2], [1, 0, 2, 7]]])
    >>> solve_batched(weights, 1, 4, method="greedy").int()
    tensor([[[1, 0, 0, 0],
             [0, 1, 0, 0],
             [0, 0, 1, 0],
             [0, 0, 0, 1]]], dtype=torch.int32)
    """
    known = methods.of(transposable)
    if method not in known:
        kind = "transposable" if transposable else "plain"
        raise UnknownMethod(
            f"method {method!r} is not batched for {kind} patterns: expected {', '.join(known)}"
        )
    given = as_options(method, METHODS[method].options, options)
    tile = (m if transposable else 1, m)
    entry = 8 if matrices.dtype in WIDE else 4
    mask = torch.empty(matrices.shape, dtype=torch.bool, device=matrices.device)
    largest = torch.zeros((), dtype=torch.float64, device=matrices.device)
    for chunk in chunks(matrices.shape, tile, SCRATCH // (entry * methods.copies)):
        scores = chunk.gather(matrices, magnitude)
        # Not a number stays so, and one look at the end finds every kind of bad score.
        largest = torch.maximum(largest, torch.linalg.vector_norm(scores, torch.inf))
        chunk.scatter(mask, known[method](scores, n, at_most or chunk.partial, **given))
    if not largest <= LARGEST_SCORE:
        raise first_bad(matrices, "weights")
    return mask
