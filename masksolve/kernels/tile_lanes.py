"""Sixteen adjacent tiles between memory and lanes.

A row of them is read as it lies, 16 m entries, and sorted into lanes by shuffles between
registers. The functions that take ``m`` need it as a compile-time constant.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from masksolve.kernels.interleaving import join, join_words, split_run
from masksolve.kernels.vectors import BY_ENTRY, LANES, constant, integers, offset, read, write

__all__ = ["load_tiles", "store_tiles", "store_words"]


@intrinsic
def load_tiles(typing, matrix, position, take_magnitude, top, scores, place, m):
    """Read one row of 16 adjacent tiles: ``scores[place + 16 k]``, k < m, gets entry k.

    Drops the signs if told to; returns the largest magnitude of `top` and of what was read, NaN
    being larger than infinity, and the sum of the row's magnitudes.
    """
    if not isinstance(m, types.IntegerLiteral):
        return None
    lanes, size = BY_ENTRY[matrix.dtype], m.literal_value
    vector, no_sign = integers(lanes)
    both = types.UniTuple(lanes, 2)

    def code(context, builder, signature, args):
        matrix_, start, take, top_, scores_, place_, _ = args

        def entries(first, lanes):
            place = offset(builder, start, first)
            return read(context, builder, matrix, matrix_, place, lanes)

        keep = builder.select(take, no_sign, constant(vector, -1))
        most = builder.bitcast(top_, vector)
        total = constant(lanes.vector, 0.0)
        for k, value in enumerate(split_run(builder, entries, lanes, size)):
            pattern = builder.and_(builder.bitcast(value, vector), keep)
            size_ = builder.and_(pattern, no_sign)
            most = builder.select(builder.icmp_signed(">", size_, most), size_, most)
            total = builder.fadd(total, builder.bitcast(size_, lanes.vector))
            kept = builder.bitcast(pattern, lanes.vector)
            write(context, builder, scores, scores_, offset(builder, place_, k * LANES), kept)
        return context.make_tuple(builder, both, [builder.bitcast(most, lanes.vector), total])

    return both(matrix, types.intp, types.boolean, lanes, scores, types.intp, m), code


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
        for start, run in join_words(builder, words, size):
            write(context, builder, matrix, matrix_, offset(builder, position_, start), run)
        return context.get_dummy_value()

    return types.void(values, types.intp, matrix, types.intp, m), code
