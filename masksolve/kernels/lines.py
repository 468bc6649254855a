"""Sixteen lines of m adjacent entries in lanes, for any m, and a line's n-th largest."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from masksolve.kernels.interleaving import join, split
from masksolve.kernels.selection_network import Step, selection_networks
from masksolve.kernels.simd import emit_max, emit_min, pairwise
from masksolve.kernels.vectors import (
    BY_ENTRY,
    BYTE,
    INDEX,
    LANES,
    MASK,
    constant,
    integers,
    offset,
    read,
    shuffle,
    write,
)

__all__ = ["at_least", "load_lines", "load_score", "nth_largest", "nth_steps", "store_lines"]

HALVES = (range(LANES // 2), range(LANES // 2, LANES))


at_least = pairwise(lambda builder, a, b: builder.fcmp_ordered(">=", a, b), MASK)


@intrinsic
def load_score(typing, array, position, take_magnitude):
    """Read 16 entries of an array, without their signs if told to."""
    lanes = BY_ENTRY[array.dtype]

    def code(context, builder, signature, args):
        keep = signs(builder, args[2], lanes)
        return score(context, builder, array, args[0], args[1], lanes, keep)

    return lanes(array, types.intp, types.boolean), code


def signs(builder, take_magnitude, lanes):
    """Emit the bits that stay: all, or all but the signs."""
    vector, no_sign = integers(lanes)
    return builder.select(take_magnitude, no_sign, constant(vector, -1))


def score(context, builder, array_type, array, position, lanes, keep):
    """Emit the reading of 16 entries, of which some bits stay."""
    value = read(context, builder, array_type, array, position, lanes)
    return builder.bitcast(builder.and_(builder.bitcast(value, keep.type), keep), lanes.vector)


@intrinsic
def load_lines(typing, matrix, position, take_magnitude, scores, m):
    """Read 16 adjacent lines: ``scores[16 j]``, j < m, gets entry j of each.

    Drops the signs if told to.
    """
    if not isinstance(m, types.IntegerLiteral):
        return None
    lanes, size = BY_ENTRY[matrix.dtype], m.literal_value

    def code(context, builder, signature, args):
        matrix_, start, take, scores_, _ = args
        keep = signs(builder, take, lanes)
        run = []
        for k in range(size):
            place = offset(builder, start, k * LANES)
            run.append(score(context, builder, matrix, matrix_, place, lanes, keep))
        for k, value in enumerate(split(builder, run)):
            write(context, builder, scores, scores_, ir.Constant(INDEX, k * LANES), value)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.boolean, scores, m), code


@intrinsic
def store_lines(typing, flags, mask, position, m):
    """Write 16 adjacent lines' bytes, ``flags[16 j]``, j < m."""
    if not isinstance(m, types.IntegerLiteral):
        return None
    size = m.literal_value

    def code(context, builder, signature, args):
        flags_, mask_, start, _ = args
        lines = [
            read(context, builder, flags, flags_, ir.Constant(INDEX, k * LANES), BYTE)
            for k in range(size)
        ]
        for k, value in enumerate(join(builder, lines)):
            write(context, builder, mask, mask_, offset(builder, start, k * LANES), value)
        return context.get_dummy_value()

    return types.void(flags, mask, types.intp, m), code


@intrinsic
def nth_largest(typing, scores, position, step, take_magnitude, limit, n, m):
    """Find the n-th largest of a line, entries ``scores[position + k * step]``, k < m.

    Without their signs if told to. NaN where an entry is NaN, or of a size beyond the limit.
    """
    if not all(isinstance(x, types.IntegerLiteral) for x in (n, m)):
        return None
    lanes, size = BY_ENTRY[scores.dtype], m.literal_value
    steps, nth = nth_steps(n.literal_value, size)

    def code(context, builder, signature, args):
        scores_, start, stride, take, limit_ = args[:5]
        keep = signs(builder, take, lanes)
        values = []
        for k in range(size):
            place = builder.add(start, builder.mul(stride, ir.Constant(INDEX, k)))
            values.append(score(context, builder, scores, scores_, place, lanes, keep))
        largest = constant(lanes.vector, 0.0)
        for value in values:
            largest = larger_size(builder, value, largest, lanes)
        good = builder.fcmp_ordered("<=", largest, limit_)
        # Half of the lanes at a time: then more of a line's values stay in registers.
        first, second = (
            follow(builder, steps, [shuffle(builder, v, v, half) for v in values], nth)
            for half in HALVES
        )
        found = shuffle(builder, first, second, range(LANES))
        return builder.select(good, found, constant(lanes.vector, float("nan")))

    how = (types.intp, types.intp, types.boolean)
    return lanes(scores, *how, lanes, n, m), code


def larger_size(builder, value, size, lanes):
    """Return the larger of |value| and a size; NaN counts as larger than infinity."""
    vector, no_sign = integers(lanes)
    x, y = builder.and_(builder.bitcast(value, vector), no_sign), builder.bitcast(size, vector)
    greater = builder.select(builder.icmp_signed(">", x, y), x, y)
    return builder.bitcast(greater, lanes.vector)


def follow(builder, steps, inputs, wanted):
    """Emit a network's steps; return one value."""
    values: dict[int, Any] = dict(enumerate(inputs))
    for a, b, above, below in steps:
        if above is not None:
            values[above] = emit_max(builder, values[a], values[b])
        if below is not None:
            values[below] = emit_min(builder, values[a], values[b])
    return values[wanted]


@cache
def nth_steps(n: int, m: int) -> tuple[tuple[Step, ...], int]:
    """Cut a selection network down to the n-th largest of m alone, ``1 <= n <= m``.

    Returns
    -------
    steps : tuple of Step
    nth : int
        The value that is the n-th largest.

    Examples
    --------
    >>> [len(nth_steps(n, 4)[0]) for n in (1, 2, 3, 4)]
    [3, 5, 5, 3]
    """
    found = []
    if n < m:
        found += [(_needed(x.steps, x.nth), x.nth) for x in selection_networks(n, m)]
    if n > 1:
        found += [(_needed(x.steps, x.next), x.next) for x in selection_networks(n - 1, m)]
    return min(found, key=lambda one: _operations(one[0]), default=((), 0))


def _needed(steps: tuple[Step, ...], nth: int) -> tuple[Step, ...]:
    """Keep the halves of steps on which one value depends."""
    needed = {nth}
    kept = []
    for x, y, larger, smaller in reversed(steps):
        step = Step(
            x, y, larger if larger in needed else None, smaller if smaller in needed else None
        )
        if _operations((step,)):
            needed |= {x, y}
            kept.append(step)
    return tuple(reversed(kept))


def _operations(steps: tuple[Step, ...]) -> int:
    return sum((s.larger is not None) + (s.smaller is not None) for s in steps)
