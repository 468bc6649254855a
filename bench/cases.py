"""What the solvers are compared on: scores of many kinds, made up and real.

Each case has random numbers of its own, from the seed, its name and the size, so it
comes out the same whatever else is run, and the same for every pattern where it can.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import masksolve as ms

from . import adversarial
from .activations import input_norms
from .encoder import PACKAGE, encoder_layers
from .tiling import from_tiles, to_tiles

__all__ = ["CASES", "Case", "make_scores"]

Scores = NDArray[np.float32]
Make = Callable[[np.random.Generator, int, int, ms.Pattern], Scores]
Fits = Callable[[int, int], bool]


@dataclass(frozen=True)
class Case:
    """A kind of scores.

    Attributes
    ----------
    name : str
    description : str
        One sentence for the report.
    make : callable
        ``make(rng, rows, columns, pattern)``: contiguous float32 >= 0; the sides are
        multiples of m. The largest matrices take little more memory than they hold.
    needs : tuple of str
        Modules that must be there.
    fits : callable
        ``fits(n, m)``: whether it can be made for the pattern.
    """

    name: str
    description: str
    make: Make = field(repr=False)
    needs: tuple[str, ...]
    fits: Fits = field(repr=False)

    def missing(self) -> list[str]:
        """List the modules that it needs and that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


CASES: dict[str, Case] = {}
"""Every case by name."""


def _case(
    name: str, description: str, *needs: str, fits: Fits = lambda n, m: True
) -> Callable[[Make], Make]:
    """Make what makes scores a case."""

    def join(make: Make) -> Make:
        CASES[name] = Case(name, description, make, needs, fits)
        return make

    return join


def make_scores(
    case: str, rows: int, columns: int, pattern: str | ms.Pattern, seed: int = 0
) -> Scores:
    """Make the scores of a case: (rows, columns), float32, >= 0.

    Raises
    ------
    InvalidInput
        If the sides are no multiples of m or the case cannot be made for the pattern.
    """
    p = ms.Pattern.parse(pattern)
    if rows % p.m or columns % p.m:
        raise ms.InvalidInput(f"{rows} x {columns} is not made of tiles of {p.m} x {p.m}")
    if not CASES[case].fits(p.n, p.m):
        raise ms.InvalidInput(f"the case {case!r} cannot be made for {p}")
    rng = np.random.default_rng([seed, crc32(case.encode()), rows, columns])
    return CASES[case].make(rng, rows, columns, p)


@_case("normal", "Sizes of standard normal numbers.")
def _normal(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    out = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.abs(out, out=out)


@_case("heavy-tailed", "Sizes of numbers from Student's t-distribution with 3 degrees of freedom.")
def _heavy_tailed(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    out = _normal(rng, rows, columns, pattern)
    for row in out:  # row by row, for memory's sake
        row /= np.sqrt(rng.standard_gamma(1.5, columns, dtype=np.float32) / np.float32(1.5))
    return out


@_case(
    "scaled",
    "Sizes of standard normal numbers, every row and every column times the "
    "exponential of another.",
)
def _scaled(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    out = _normal(rng, rows, columns, pattern)
    out *= np.exp(rng.standard_normal((rows, 1), dtype=np.float32))
    out *= np.exp(rng.standard_normal(columns, dtype=np.float32))
    return out


@_case("low-rank", "Sizes of the entries of a product of two standard normal matrices, of rank 2.")
def _low_rank(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    left = rng.standard_normal((rows, 2), dtype=np.float32)
    right = rng.standard_normal((2, columns), dtype=np.float32)
    out: Scores = left @ right
    return np.abs(out, out=out)


@_case("bf16 grid", "Normal, rounded to bfloat16: many ties.")
def _bf16(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    out = _normal(rng, rows, columns, pattern)
    out[...] = out.astype(ml_dtypes.bfloat16)
    return out


@_case(
    "int8 grid",
    "Normal, scaled so that the largest of the matrix is 127, and rounded to integers: "
    "almost nothing but ties.",
)
def _int8(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    out = _normal(rng, rows, columns, pattern)
    out *= np.float32(127) / out.max()
    return np.rint(out, out=out)


@_case("all equal", "Ones: every valid mask is best.")
def _equal(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    return np.ones((rows, columns), dtype=np.float32)


_case(
    "against greedy",
    "Blocks of n x n with the scores [[1.001, 1], [1, 0]] in every tile, its rows and "
    "columns shuffled, and up to 0.0005 of noise: greedy keeps about half.",
    fits=adversarial.fits,
)(adversarial.against_greedy)
_case(
    "against two_approx",
    "Blocks of n x n with the scores [[1, 0], [1.001, 1.002]] in every tile, its rows "
    "and columns shuffled, and up to 0.0005 of noise: two_approx prunes about twice "
    "as much as it must.",
    fits=adversarial.fits,
)(adversarial.against_two_approx)


@_case(
    "encoder",
    "Aligned tiles of |w| from all-MiniLM-L6-v2's 36 linear layers, in random order.",
    PACKAGE,
)
def _encoder(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    return _drawn(rng, rows, columns, pattern.m, encoder_layers().values())


@_case(
    "encoder, second order",
    "The same of |w| times the root mean square of the weight's input, as Wanda "
    "scores it, over a few hundred sentences of Python's language reference.",
    PACKAGE,
    "torch",
    "transformers",
)
def _second_order(rng: np.random.Generator, rows: int, columns: int, pattern: ms.Pattern) -> Scores:
    norms = input_norms()
    scores = (w * norms[name] for name, w in encoder_layers().items())
    return _drawn(rng, rows, columns, pattern.m, scores)


def _drawn(
    rng: np.random.Generator, rows: int, columns: int, m: int, layers: Iterable[NDArray[Any]]
) -> Scores:
    """Lay out aligned tiles of the layers in random order, again from the start if need be."""
    pool = np.concatenate(
        [to_tiles(np.abs(w[: w.shape[0] // m * m, : w.shape[1] // m * m]), m) for w in layers]
    )
    tiles = rows * columns // m**2
    order = [rng.permutation(len(pool)) for _ in range(0, tiles, len(pool))]
    return from_tiles(pool[np.concatenate(order)[:tiles]], (rows, columns))
