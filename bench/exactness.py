"""Is it exact? Random tiles against a linear program, and against sums in float64.

``python -m masksolve.bench.exactness``: a hundred thousand tiles whose optimum HiGHS finds
too, and ten million of which the compiled verdict, in float64 and by code that shares nothing
with the engine, must say that nothing is lost; and which stage has proven how many. A quarter of
an hour; ends with 1 if a tile loses.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

import masksolve as ms

from .rivals.scipy_highs import highs

__all__ = ["main"]

WIDTHS = (4, 8, 16, 32, 5, 12)
PATTERNS = ("2:4", "4:8", "8:16", "16:32")
FAMILIES = (
    "normal",
    "log-normal",
    "Cauchy",
    "outliers",
    "rows and columns scaled",
    "bfloat16 grid",
    "int8 grid",
)
STAGES = ("rounds", "more_rounds", "ties", "paths")
CLOSE = 1e-9
"""Of a tile's score: HiGHS' tolerances are no smaller."""
BATCH = 512
SIDE = 2048


def draw(rng: np.random.Generator, family: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Draw weights whose magnitudes are scores of a family."""
    found = rng.standard_normal(shape, dtype=np.float32)
    if family == "log-normal":
        return np.exp(found)
    if family == "Cauchy":
        return rng.standard_cauchy(shape).astype(np.float32)
    if family == "outliers":  # one in a thousand, a hundred times as large
        return np.where(rng.random(shape) < 1e-3, 100 * found, found)
    if family == "rows and columns scaled":
        row, column = (np.exp(rng.standard_normal((*shape[:-2], k))) for k in shape[-2:])
        return (found * row[..., :, None] * column[..., None, :]).astype(np.float32)
    if family == "bfloat16 grid":
        return found.astype(ml_dtypes.bfloat16).astype(np.float32)
    if family == "int8 grid":
        return np.round(found * np.float32(127 / np.abs(found).max()))
    return found


def against_highs(job: tuple[int, int, int]) -> tuple[int, int, float]:
    """Solve a batch twice; return m, how many tiles, and the largest loss, relative."""
    m, count, seed = job
    rng = np.random.default_rng([seed, m])
    n, family = int(rng.integers(1, m)), str(rng.choice(FAMILIES))
    scores = np.abs(draw(rng, family, (count, m, m)))
    ours = ms.solve(scores, f"{n}:{m}", score=None, threads=1).mask
    kept = [np.where(mask, scores, 0).sum(axis=(1, 2), dtype=np.float64)
            for mask in (ours, highs(scores, n))]  # fmt: skip
    loss = np.abs(kept[1] - kept[0]) / np.maximum(kept[0], np.finfo(np.float32).tiny)
    return m, count, float(loss.max())


def jobs(tiles: int, seed: int) -> Iterator[tuple[int, int, int]]:
    """Cut the tiles of each width into batches."""
    for m in WIDTHS:
        left = -(-tiles // len(WIDTHS))
        while left > 0:
            yield m, min(BATCH, left), seed
            left, seed = left - BATCH, seed + 1


def against_float64(
    pattern: str, tiles: int, seed: int, console: Console, stages: Table
) -> tuple[int, float]:
    """Solve and judge matrices of a pattern; return how many tiles, and what is lost of all.

    Adds rows to a table: the shares of tiles that each stage has proven, by family.
    """
    m = ms.Pattern.parse(pattern).m
    each = (SIDE // m) ** 2
    done, lost = 0, 0.0
    shares = {family: np.zeros(len(STAGES), dtype=np.int64) for family in FAMILIES}
    for k in track(range(-(-tiles // each)), pattern, console=console, transient=True):
        rng = np.random.default_rng([seed, m, k])
        family = FAMILIES[k % len(FAMILIES)]
        weights = draw(rng, family, (SIDE, SIDE))
        found = ms.solve(weights, pattern)
        verdict = ms.certify(weights, found.mask, pattern)
        assert verdict.gap is not None
        if verdict.status is not ms.Status.OPTIMAL or found.status is not ms.Status.OPTIMAL:
            return done, float("inf")
        lost = max(lost, verdict.gap / verdict.objective)
        done += each
        shares[family] += [int(found.stats[f"tiles_by_{stage}"]) for stage in STAGES]
    for family, counts in shares.items():
        if counts.any():
            stages.add_row(pattern, family, *(f"{x:.3%}" for x in counts / counts.sum()))
    return done, lost


def main() -> None:
    """Compare, and print how much was lost at most."""
    parser = argparse.ArgumentParser(
        prog="python -m masksolve.bench.exactness", description=__doc__
    )
    parser.add_argument("--tiles", type=int, default=100_000, help="against HiGHS")
    parser.add_argument("--many", type=int, default=10_000_000, help="against float64")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    console = Console(width=100, highlight=False)
    table = Table("against", "tiles", "tiles of", "lost at most", title_justify="left")
    stages = Table("pattern", "scores", *(f"by {stage.replace('_', ' ')}" for stage in STAGES))
    worst = 0.0
    found = dict.fromkeys(WIDTHS, (0, 0.0))
    batches = list(jobs(options.tiles, options.seed))
    with ProcessPoolExecutor() as pool:
        for m, count, loss in track(
            pool.map(against_highs, batches), "HiGHS", len(batches), console=console, transient=True
        ):
            found[m] = found[m][0] + count, max(found[m][1], loss)
    for m, (count, loss) in found.items():
        table.add_row("HiGHS", f"{count:,}", f"{m} x {m}, any n", f"{loss:.1e}")
        worst = max(worst, loss / CLOSE)
    for pattern in PATTERNS:
        share = options.many // len(PATTERNS)
        count, loss = against_float64(pattern, share, options.seed, console, stages)
        table.add_row("float64", f"{count:,}", pattern, f"{loss:.1e}")
        worst = max(worst, loss / 1e-12)
    console.print(table)
    console.print(stages)
    if worst > 1.0:
        sys.exit("error: some tile is not optimal")


if __name__ == "__main__":
    main()
