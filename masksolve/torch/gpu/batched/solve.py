"""Masks of whole matrices by the methods of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from masksolve.errors import UnknownMethod
from masksolve.inputs import LARGEST_SCORE
from masksolve.solvers import METHODS as DESCRIBED
from masksolve.solvers import as_options
from masksolve.torch.gpu.batched.chunks import WIDE, chunks
from masksolve.torch.gpu.batched.entropic import entropic
from masksolve.torch.gpu.batched.fused import usable
from masksolve.torch.gpu.batched.greedy import greedy
from masksolve.torch.gpu.batched.lines import select
from masksolve.torch.gpu.batched.two_approx import two_approx
from masksolve.torch.gpu.results import first_bad

__all__ = ["METHODS", "solve_batched"]

METHODS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {"greedy": greedy, "entropic": entropic, "two_approx": two_approx}
)
"""Methods for transposable patterns: ``method(scores, n, at_most, **options)`` takes tiles
(tiles, m, m) of float32 or float64, contiguous and finite, and returns their masks."""

SCRATCH = 1 << 28
"""Most bytes that a chunk takes, the tiles' copy included."""
FUSED, STEPWISE = 4, 20
"""Space for a chunk in copies of its tiles: in one kernel, and step by step in torch."""


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
        A name in `METHODS`; ``"exact"`` for plain patterns, which that alone solves.
    transposable : bool
        False: only rows obey the pattern, in groups of m.
    at_most : bool
        Whether lines of full tiles may hold fewer; those of partial ones always may.
    magnitude : bool
        Whether the scores are the entries' magnitudes, or else the entries.
    options : mapping of str to float, optional
        As for `masksolve.solve`.

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
    solve = _find(method, transposable)
    given = as_options(method, DESCRIBED[method].options, options)
    tile = (m if transposable else 1, m)
    mask = torch.empty(matrices.shape, dtype=torch.bool, device=matrices.device)
    largest = torch.zeros((), dtype=torch.float64, device=matrices.device)
    for chunk in chunks(matrices.shape, tile, _entries(matrices)):
        scores = chunk.gather(matrices, magnitude)
        # Not a number stays so, and one look at the end finds every kind of bad score.
        largest = torch.maximum(largest, torch.linalg.vector_norm(scores, torch.inf))
        chunk.scatter(mask, solve(scores, n, at_most or chunk.partial, **given))
    if not largest <= LARGEST_SCORE:
        raise first_bad(matrices, "weights")
    return mask


def _find(method: str, transposable: bool) -> Callable[..., Tensor]:
    known = METHODS if transposable else {"exact": select}
    if method not in known:
        kind = "transposable" if transposable else "plain"
        raise UnknownMethod(
            f"method {method!r} is not batched for {kind} patterns: expected {', '.join(known)}"
        )
    return known[method]


def _entries(matrices: Tensor) -> int:
    """Return how many entries of a chunk keep within `SCRATCH`."""
    width = 8 if matrices.dtype in WIDE else 4
    return SCRATCH // (width * (FUSED if usable(matrices) else STEPWISE))
