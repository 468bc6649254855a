"""Sixteen adjacent tiles between memory and lanes, and a line of them by a network.

A row of them is read as it lies, 16 m entries, and sorted into lanes by shuffles between
registers. The functions that take ``m`` or ``n`` need them as compile-time constants.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from masksolve.kernels.interleaving import join, split
from masksolve.kernels.selection_network import middle_network
from masksolve.kernels.narrow import emit_take, emit_umax, emit_umin
from masksolve.kernels.simd import emit_max, emit_min
from masksolve.kernels.vectors import (
    BY_ENTRY,
    INDEX,
    LANES,
    NARROW,
    constant,
    integers,
    offset,
    read,
    write,
)

__all__ = ["load_tiles", "middle_pair", "store_tiles", "store_words"]


@intrinsic
def middle_pair(typing, scores, position, step, potentials, n, m):
    """Find the n-th and (n+1)-th largest of a line, in either order.

    The line has m entries ``scores[position + k * step] - potentials[16 k]``, k < m; without
    potentials, None, these are 0. Of narrow ones, a difference below 0 is 0.
    """
    if not (isinstance(n, types.IntegerLiteral) and isinstance(m, types.IntegerLiteral)):
        return None
    lanes = BY_ENTRY[scores.dtype]
    selection = middle_network(n.literal_value, m.literal_value)
    both = types.UniTuple(lanes, 2)
    narrow = lanes == NARROW
    subtract = emit_take if narrow else ir.IRBuilder.fsub
    larger, smaller = (emit_umax, emit_umin) if narrow else (emit_max, emit_min)

    def code(context, builder, signature, args):
        scores_, start, stride, potentials_ = args[:4]
        values = {}

        def value(k):
            """Return a value of the network; inputs are read when they are needed first."""
            if k not in values:
                place = builder.add(start, builder.mul(stride, ir.Constant(INDEX, k)))
                values[k] = read(context, builder, scores, scores_, place, lanes)
                if potentials != types.none:
                    at = ir.Constant(INDEX, k * LANES)
                    other = read(context, builder, potentials, potentials_, at, lanes)
                    values[k] = subtract(builder, values[k], other)
            return values[k]

        for step in selection.steps:
            a, b = value(step.first), value(step.second)
            if step.larger is not None:
                values[step.larger] = larger(builder, a, b)
            if step.smaller is not None:
                values[step.smaller] = smaller(builder, a, b)
        pair = [value(selection.nth), value(selection.next)]
        return context.make_tuple(builder, both, pair)

    return both(scores, types.intp, types.intp, potentials, n, m), code


@intrinsic
def load_tiles(typing, matrix, position, take_magnitude, top, scores, place, m):
    """Read one row of 16 adjacent tiles: ``scores[place + 16 k]``, k < m, gets entry k.

    Drops the signs if told to; returns the largest magnitude of
    `top` and of what was read, NaN being larger than infinity.
    """
    if not isinstance(m, types.IntegerLiteral):
        return None
    lanes, size = BY_ENTRY[matrix.dtype], m.literal_value
    vector, no_sign = integers(lanes)

    def code(context, builder, signature, args):
        matrix_, start, take, top_, scores_, place_, _ = args
        row = [
            read(context, builder, matrix, matrix_, offset(builder, start, k * LANES), lanes)
            for k in range(size)
        ]
        keep = builder.select(take, no_sign, constant(vector, -1))
        most = builder.bitcast(top_, vector)
        for k, value in enumerate(split(builder, row)):
            pattern = builder.and_(builder.bitcast(value, vector), keep)
            size_ = builder.and_(pattern, no_sign)
            most = builder.select(builder.icmp_signed(">", size_, most), size_, most)
            kept = builder.bitcast(pattern, lanes.vector)
            write(context, builder, scores, scores_, offset(builder, place_, k * LANES), kept)
        return builder.bitcast(most, lanes.vector)

    return lanes(matrix, types.intp, types.boolean, lanes, scores, types.intp, m), code


@intrinsic
def store_tiles(typing, values, place, matrix, position, m):
    """Write one row of 16 adjacent tiles: entries ``values[place + 16 k]``, k < m."""
    if not isinstance(m, types.IntegerLiteral):
        return None
    lanes = BY_ENTRY[values.dtype]

    def code(context, builder, signature, args):
        values_, place_, matrix_, position_, _ = args
        row = [
            read(context, builder, values, values_, offset(builder, place_, k * LANES), lanes)
            for k in range(m.literal_value)
        ]
        for k, value in enumerate(join(builder, row)):
            place = offset(builder, position_, k * LANES)
            write(context, builder, matrix, matrix_, place, value)
        return context.get_dummy_value()

    return types.void(values, types.intp, matrix, types.intp, m), code


@intrinsic
def store_words(typing, values, place, matrix, position, m):
    """Write one row of 16 adjacent tiles of bytes, which lie four to a word, low bytes first.

    Words ``values[place + 16 k]``, k < m / 4, hold entries 4 k to 4 k + 3.
    """
    if not isinstance(m, types.IntegerLiteral):
        return None
    size = m.literal_value
    word = BY_ENTRY[values.dtype]

    def code(context, builder, signature, args):
        values_, place_, matrix_, position_, _ = args
        words = [
            read(context, builder, values, values_, offset(builder, place_, k * LANES), word)
            for k in range(-(-size // 4))
        ]
        each = next(each for each in (4, 2, 1) if size % each == 0)
        narrow = ir.VectorType(ir.IntType(8 * each), LANES)
        row = [
            builder.trunc(builder.lshr(words[j // 4], constant(word.vector, 8 * (j % 4))), narrow)
            for j in range(0, size, each)
        ]
        for k, value in enumerate(join(builder, row)):
            place = offset(builder, position_, k * LANES * each)
            write(context, builder, matrix, matrix_, place, value)
        return context.get_dummy_value()

    return types.void(values, types.intp, matrix, types.intp, m), code
