"""Sixteen adjacent tiles between memory and lanes, and a line of them by a network.

A row of them is read as it lies, 16 m entries, and sorted into lanes by shuffles between
registers (Highway's LoadInterleaved and StoreInterleaved, for any power of two). The functions
that take ``m`` or ``n`` need them as compile-time constants.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from masksolve.kernels.selection_network import middle_network
from masksolve.kernels.simd import (
    BY_ENTRY,
    INDEX,
    LANES,
    SINGLE,
    address,
    constant,
    emit_max,
    emit_min,
    integers,
    offset,
    read,
    shuffle,
    write,
)

__all__ = ["load_repeated", "load_tiles", "middle", "separate", "store_tiles"]


@intrinsic
def middle(typing, scores, position, step, potentials, n, m):
    """Find the point halfway between the n-th and (n+1)-th largest of a line.

    The line has m entries ``scores[position + k * step] - potentials[16 k]``, k < m.
    """
    if not (isinstance(n, types.IntegerLiteral) and isinstance(m, types.IntegerLiteral)):
        return None
    size = m.literal_value
    selection = middle_network(n.literal_value, size)

    def code(context, builder, signature, args):
        scores_, start, stride, potentials_ = args[:4]
        values = {}

        def value(k):
            """Return a value of the network; inputs are read when they are needed first."""
            if k not in values:
                place = builder.add(start, builder.mul(stride, ir.Constant(INDEX, k)))
                score = read(context, builder, scores, scores_, place, SINGLE)
                at = ir.Constant(INDEX, k * LANES)
                other = read(context, builder, potentials, potentials_, at, SINGLE)
                values[k] = builder.fsub(score, other)
            return values[k]

        for step in selection.steps:
            a, b = value(step.first), value(step.second)
            if step.larger is not None:
                values[step.larger] = emit_max(builder, a, b)
            if step.smaller is not None:
                values[step.smaller] = emit_min(builder, a, b)
        both = builder.fadd(value(selection.nth), value(selection.next))
        return builder.fmul(both, constant(SINGLE.vector, 0.5))

    return SINGLE(scores, types.intp, types.intp, potentials, n, m), code


@intrinsic
def load_repeated(typing, array, position, times):
    """Read 16 / times entries, and have each so many times in a row; one if times is larger."""
    if not isinstance(times, types.IntegerLiteral):
        return None
    lanes, each = BY_ENTRY[array.dtype], times.literal_value
    few = ir.VectorType(lanes.entry, max(1, LANES // each))

    def code(context, builder, signature, args):
        place = address(context, builder, array, args[0], args[1], few)
        found = builder.load(place)
        found.align = array.dtype.bitwidth // 8
        empty = ir.Constant(few, ir.Undefined)
        return shuffle(builder, found, empty, [k // each for k in range(LANES)])

    return lanes(array, types.intp, times), code


def separate(builder, vectors):
    """Split a run of 16 m entries into m vectors, the k-th with every m-th from k on."""
    if len(vectors) % 2:
        return vectors
    pairs = list(zip(vectors[0::2], vectors[1::2], strict=True))
    even = [shuffle(builder, a, b, range(0, 2 * LANES, 2)) for a, b in pairs]
    odd = [shuffle(builder, a, b, range(1, 2 * LANES, 2)) for a, b in pairs]
    halves = zip(separate(builder, even), separate(builder, odd), strict=True)
    return [vector for pair in halves for vector in pair]


def interleave(builder, vectors):
    """Undo `separate`."""
    if len(vectors) % 2:
        return vectors
    even = interleave(builder, vectors[0::2])
    odd = interleave(builder, vectors[1::2])
    half = LANES // 2
    orders = [[j for k in range(c, c + half) for j in (k, LANES + k)] for c in (0, half)]
    pairs = zip(even, odd, strict=True)
    return [shuffle(builder, *pair, order) for pair in pairs for order in orders]


@intrinsic
def load_tiles(typing, matrix, position, take_magnitude, top, scores, place, m):
    """Read one row of 16 adjacent tiles: ``scores[place + 16 k]``, k < m, gets entry k.

    m is a power of two. Drops the signs if told to; returns the largest magnitude of
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
        for k, value in enumerate(separate(builder, row)):
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
        for k, value in enumerate(interleave(builder, row)):
            place = offset(builder, position_, k * LANES)
            write(context, builder, matrix, matrix_, place, value)
        return context.get_dummy_value()

    return types.void(values, types.intp, matrix, types.intp, m), code
