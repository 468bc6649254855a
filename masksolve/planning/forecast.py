"""`plan`: every pattern on every layer, and the totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve import diversity
from masksolve.checkpoints.axes import Axes, AxesByName
from masksolve.errors import InvalidInput, about
from masksolve.inputs import ScoreFunction, as_threads, as_whole
from masksolve.pattern import Pattern
from masksolve.planning.costs import capacity, index_bits, plain_of, slots
from masksolve.planning.layers import Layer, Skipped, as_layers
from masksolve.planning.measure import Kept, read_scores, sampled, top_sums, whole
from masksolve.planning.result import Plan
from masksolve.planning.rows import PlanRow, total_row
from masksolve.threads import Progress, reporting

__all__ = ["PATTERNS", "as_patterns", "as_sample", "plan", "survey"]

PATTERNS = ("1:4", "2:4", "2:8", "4:8", "8:16", "16:32")
"""Default patterns, transposable; each is compared with its plain version."""


def plan(
    weights: Any,
    patterns: Iterable[Pattern | str] = PATTERNS,
    *,
    score: ScoreFunction | None = np.abs,
    axes: Axes | AxesByName = None,
    sample: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = False,
) -> Plan:
    """Forecast what patterns would keep, cost and save on given weights.

    Parameters
    ----------
    weights : array_like, mapping, path or torch.nn.Module
        One array as for `solve`; or a mapping of names to arrays; or a safetensors file,
        or a torch module, of which those are read, one at a time, that masks are for and
        that fit one of the patterns: `Plan.skipped` names the others.
    patterns : iterable of Pattern or str
        Transposable or plain, exactly or at most n.
    score : callable or None
        As for `solve`; no score may be negative.
    axes : tuple of int or mapping of str to tuple of int, optional
        As for `solve`, in every array; or by names or patterns of names, of which the first
        that fits counts. Default: the last two of arrays; else as names and shapes tell.
    sample : int, optional
        Solve at most that many m x m tiles of each array, at least 2, and estimate the
        rest; kept shares then come with a 95 % interval. Default: solve all.
    seed : int
        Which tiles are drawn. Patterns with the same m get the same tiles.
    threads : int, optional
        Default: every core. Nothing but the time depends on it.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (steps done, steps in all), a step
        being one pattern on one array.

    Returns
    -------
    Plan

    Raises
    ------
    InvalidInput
        If there are no weights or no patterns, for NaN, infinite or negative scores (naming
        the array), or a sample of less than 2.
    InvalidPattern, FileFormatError
        If there is no such pattern, or no such file.

    Notes
    -----
    An array is copied once, as float32 where that holds its scores and float64 where not,
    and once more while it is sorted.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).normal(size=(64, 64))
    >>> p = plan(weights, ["2:4", "4:8"])
    >>> for row in p.rows:
    ...     print(row.pattern, f"keeps {row.kept_share:.1%}, plain {row.plain_share:.1%}")
    2:4 keeps 69.6%, plain 73.9%
    4:8 keeps 73.6%, plain 76.2%
    """
    several = as_patterns(patterns)
    layers, skipped = as_layers(weights, axes, several)
    return survey(
        layers,
        several,
        skipped,
        score=score,
        sample=as_sample(sample),
        seed=seed,
        threads=threads,
        progress=progress,
    )


def as_patterns(patterns: Iterable[Pattern | str]) -> list[Pattern]:
    """Parse patterns; one that comes twice counts once."""
    several = [patterns] if isinstance(patterns, str | Pattern) else patterns
    try:
        found = list(dict.fromkeys(Pattern.parse(pattern) for pattern in several))
    except TypeError:
        raise InvalidInput(f"patterns must be a list of patterns, got {patterns!r}") from None
    if not found:
        raise InvalidInput("patterns is empty: expected at least one, such as '2:4'")
    return found


def as_sample(sample: int | None) -> int | None:
    """Return the number of tiles to draw; None means all."""
    if sample is None:
        return None
    number = as_whole(sample)
    if number is None or number < 2:
        raise InvalidInput(f"sample must be an integer of at least 2 or None, got {sample!r}")
    return number


def survey(
    layers: Sequence[Layer],
    patterns: Sequence[Pattern],
    skipped: Skipped,
    *,
    score: ScoreFunction | None,
    sample: int | None,
    seed: int,
    threads: int | None,
    progress: Progress,
) -> Plan:
    """Do what `plan` does, for layers that are listed already."""
    as_threads(threads)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidInput(f"seed must be an integer of 0 or more, got {seed!r}")
    rows: list[PlanRow] = []
    with reporting(progress, len(layers) * len(patterns), "steps") as report:
        for number, layer in enumerate(layers):
            with about(layer.label):
                for row in _rows(layer, patterns, score, sample, (seed, number), threads):
                    rows.append(row)
                    report(len(rows))
    totals = (total_row(rows[k :: len(patterns)]) for k in range(len(patterns)))
    return Plan(tuple(totals), tuple(rows), sample, seed, tuple(skipped))


def _rows(
    layer: Layer,
    patterns: Sequence[Pattern],
    score: ScoreFunction | None,
    sample: int | None,
    entropy: tuple[int, int],
    threads: int | None,
) -> Iterator[PlanRow]:
    """Measure one layer, pattern by pattern."""
    scores = read_scores(layer.read(), score, layer.axes)
    matrices, rows, columns = scores.shape
    kept_weights = {p: matrices * capacity(p, rows, columns) for p in patterns}
    unstructured = top_sums(scores, kept_weights.values())
    total = float(scores.sum(dtype=np.float64))
    for pattern in patterns:
        tiles, partial = _tiles(scores.shape, pattern.m)
        found = _measure(scores, pattern, tiles, sample, entropy, threads)
        row_slots = matrices * rows * slots(pattern, columns)
        column_slots = matrices * columns * slots(pattern, rows)
        log10_masks, counted_weights = _masks(pattern, scores.shape)
        kept = kept_weights[pattern]
        yield PlanRow(
            name=layer.name,
            pattern=pattern,
            weights=scores.size,
            kept_weights=kept,
            tiles=tiles,
            partial_tiles=partial,
            solved_tiles=found.tiles,
            score=total,
            kept=found.best,
            variance=found.variance,
            proven=found.proven,
            plain=found.plain,
            unstructured=unstructured[kept],
            log10_masks=log10_masks,
            log10_plain=diversity.log10(plain_of(pattern), scores.shape),
            log10_unstructured=diversity.log10_unstructured(scores.size, kept),
            exact=diversity.is_exact(pattern),
            counted_weights=counted_weights,
            row_slots=row_slots,
            column_slots=column_slots if pattern.transposable else scores.size,
            dense_bits=layer.bits * scores.size,
            value_bits=layer.bits * row_slots,
            index_bits=matrices * rows * index_bits(pattern, columns),
        )


def _masks(pattern: Pattern, shape: tuple[int, ...]) -> tuple[float, int]:
    """Count masks, as a logarithm, and the weights whose masks could be counted."""
    matrices, rows, columns = shape
    h, w = pattern.tile_shape
    # Without the partial tiles if those cannot be counted.
    for part in (shape, (matrices, rows // h * h, columns // w * w)):
        try:
            return diversity.log10(pattern, part), prod(part)
        except InvalidInput:
            continue
    return 0.0, 0


def _tiles(shape: tuple[int, ...], m: int) -> tuple[int, int]:
    """Count the m x m tiles of matrices, and those that are partial."""
    matrices, rows, columns = shape
    tiles = matrices * -(-rows // m) * -(-columns // m)
    return tiles, tiles - matrices * (rows // m) * (columns // m)


def _measure(
    scores: NDArray[Any],
    pattern: Pattern,
    tiles: int,
    sample: int | None,
    entropy: tuple[int, int],
    threads: int | None,
) -> Kept:
    if sample is None or tiles <= sample:
        return whole(scores, pattern, tiles, threads)
    # The tiles depend on the layer and on m, so patterns of the same m share them.
    random = np.random.default_rng((*entropy, pattern.m))
    chosen = np.sort(random.choice(tiles, size=sample, replace=False, shuffle=False))
    return sampled(scores, pattern, chosen, threads)
