"""Random problems against a linear program: scipy's HiGHS, which knows nothing of ours."""

from __future__ import annotations

from math import prod
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

import masksolve as ms

from .trial import Trial

__all__ = ["solver"]

DTYPES = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float32", "float64", "int8")
WIDTHS = (1, 2, 3, 4, 4, 5, 8, 8, 16, 32, 64)
ENTRIES = 5000
"""Most entries of a problem: a linear program of that size takes a moment."""
CLOSE = 1e-9
"""Of a tile's largest score: what a mask may keep less than another and still be as good."""


def solver(trial: Trial) -> None:
    """Solve one problem, prove it, and compare it with the program's solution."""
    rng = trial.rng
    pattern, weights = _draw(rng)
    said = f"{pattern} on {weights.dtype} {weights.shape}"
    first, second = (trial.solve(weights, pattern, threads=threads) for threads in (1, 2))
    mask = first.mask
    same = np.array_equal(mask, second.mask)
    trial.expect(same, f"{said}: one thread and two find different masks")
    try:
        ms.check_mask(mask, pattern)
    except ms.MaskViolation as violation:
        trial.expect(False, f"{said}: {violation}")
        return
    for plain in (False, True):
        proof = ms.certify(weights, mask, pattern, plain=plain)
        optimal = proof.status is ms.Status.OPTIMAL
        trial.expect(optimal, f"{said}: not optimal, by a gap of {proof.gap}")
    count = prod(weights.shape[:-2])
    scores = np.abs(weights.astype(np.float64)).reshape(count, *weights.shape[-2:])
    for ours, matrix in zip(mask.reshape(scores.shape), scores, strict=True):
        if matrix.size:
            lost = _lost(matrix, ours, pattern)
            trial.expect(lost <= CLOSE, f"{said}: HiGHS keeps {lost:.3g} more in some tile")


def _draw(rng: np.random.Generator) -> tuple[ms.Pattern, NDArray[Any]]:
    m = int(rng.choice(WIDTHS))
    n = int(rng.integers(1, m + 1))
    transposable = bool(rng.random() < 0.75)
    pattern = ms.Pattern(n, m, transposable, at_most=bool(rng.random() < 0.3))
    tiles = max(1, min(24, ENTRIES // m**2))
    across = int(rng.integers(1, tiles + 1))
    shape = [m * max(1, tiles // across), m * across]
    if rng.random() < 0.4:  # partial tiles at both edges
        shape = [max(1, size - int(rng.integers(0, m))) for size in shape]
    if rng.random() < 0.2 and m <= 16:
        shape = [2, *shape]
    if rng.random() < 0.03:
        shape[int(rng.integers(len(shape)))] = 0
    return pattern, _weights(rng, tuple(shape))


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Draw weights of one of the families that solvers find hard."""
    dtype = np.dtype(str(rng.choice(DTYPES)))
    if dtype == np.int8:
        return rng.integers(-128, 128, size=shape).astype(dtype)
    info: Any = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
    signs = rng.choice([-1.0, 1.0], size=shape)
    largest, smallest = min(float(info.max), 1e150), float(info.smallest_subnormal)
    family = int(rng.integers(8))
    if family == 0:
        found = rng.normal(size=shape)
    elif family == 1:  # few distinct values: ties everywhere
        found = rng.integers(0, 4, size=shape).astype(np.float64)
    elif family == 2:
        found = signs * rng.choice([rng.normal(), 1.0])
    elif family == 3:
        found = signs * np.where(rng.random(shape) < 0.8, 0.0, 1.0)
    elif family == 4:
        found = rng.normal(size=shape) * 16 * smallest
    elif family == 5:
        found = rng.uniform(-1, 1, size=shape) * largest
    elif family == 6:  # from the smallest to the largest
        found = signs * 2.0 ** rng.uniform(np.log2(smallest), np.log2(largest), size=shape)
    else:  # equal rows, but for one entry
        found = np.broadcast_to(rng.normal(size=shape[-1]), shape).copy()
        found[..., :1, :1] += 1e-3
    return np.clip(found, -largest, largest).astype(dtype)


def _lost(scores: NDArray[np.float64], mask: NDArray[np.bool_], pattern: ms.Pattern) -> float:
    """Return what HiGHS keeps more than a mask, as a share of the largest score of the tile.

    Its tolerances are absolute, so every tile is scaled to a largest score of about 1. The
    program's vertices are masks: what it finds is rounded to one, and that is compared.
    """
    m, (rows, columns) = pattern.m, scores.shape
    height = m if pattern.transposable else 1
    i, j = (index.ravel() for index in np.indices(scores.shape))
    tile = i // height * -(-columns // m) + j // m
    largest = np.zeros(tile.max() + 1)
    np.maximum.at(largest, tile, scores.ravel())
    exponent = np.where(largest > 0, -np.frexp(largest)[1], 0)
    scaled = np.ldexp(scores.ravel(), exponent[tile])
    full = (j // m + 1) * m <= columns
    lines = [i * -(-columns // m) + j // m]
    if pattern.transposable:
        full &= (i // m + 1) * m <= rows
        lines.append(lines[0].max() + 1 + i // m * columns + j)
    best = _best(scaled, lines, full & (not pattern.at_most), pattern.n)
    gain = np.bincount(tile, scaled * (best - mask.ravel()))
    return float(gain.max())


def _best(
    scores: NDArray[np.float64], lines: list[NDArray[Any]], full: NDArray[np.bool_], n: int
) -> NDArray[np.float64]:
    """Solve the program: lines of full tiles hold n, others at most n."""
    count = max(line.max() for line in lines) + 1
    ones, entries = np.ones(scores.size), np.arange(scores.size)
    matrix = sum(
        sparse.csr_array((ones, (line, entries)), shape=(count, scores.size)) for line in lines
    )
    exact = np.zeros(count, dtype=bool)
    for line in lines:
        exact[line[full]] = True
    parts = [(name, matrix[rows]) for name, rows in (("eq", exact), ("ub", ~exact)) if rows.any()]
    bounds = {f"A_{name}": part for name, part in parts}
    bounds |= {f"b_{name}": np.full(part.shape[0], float(n)) for name, part in parts}
    found = linprog(-scores, bounds=(0, 1), method="highs-ds", **bounds)
    if found.status != 0:
        raise RuntimeError(f"HiGHS: {found.message}")
    rounded: NDArray[np.float64] = np.rint(found.x)
    return rounded
