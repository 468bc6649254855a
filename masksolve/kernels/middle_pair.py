"""The two middle ones of a line, of sixteen tiles at a time, by a selection network."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from masksolve.kernels.narrow import emit_take, emit_umax, emit_umin
from masksolve.kernels.selection_network import middle_network
from masksolve.kernels.simd import emit_max, emit_min
from masksolve.kernels.vectors import BY_ENTRY, INDEX, LANES, NARROW, Vector, read, shuffle

__all__ = ["middle_pair"]

REGISTERS = (("+avx512bw", 512), ("+avx2", 256), ("", 128))
"""How many bits of a vector are worked on at a time, by what the machine has."""


@intrinsic
def middle_pair(typing, scores, position, step, potentials, n, m):
    """Find the n-th and (n+1)-th largest of a line, in either order.

    The line has m entries ``scores[position + k * step] - potentials[16 k]``, k < m; without
    potentials, None, these are 0. Of narrow ones, a difference below 0 is 0. ``n`` and ``m`` must
    be compile-time constants.
    """
    if not (isinstance(n, types.IntegerLiteral) and isinstance(m, types.IntegerLiteral)):
        return None
    lanes = BY_ENTRY[scores.dtype]
    selection = middle_network(n.literal_value, m.literal_value)
    both = types.UniTuple(lanes, 2)

    def code(context, builder, signature, args):
        scores_, start, stride, potentials_ = args[:4]
        part = part_of(context, lanes)

        def inputs(first):
            """Return a function that reads an input of the network in some lanes."""

            def value(k):
                place = builder.add(start, builder.mul(stride, ir.Constant(INDEX, k)))
                place = builder.add(place, ir.Constant(INDEX, first))
                found = read(context, builder, scores, scores_, place, part)
                if potentials == types.none:
                    return found
                at = ir.Constant(INDEX, k * LANES + first)
                other = read(context, builder, potentials, potentials_, at, part)
                return less(builder, found, other)

            return value

        pairs = [
            follow(builder, selection, inputs(first), lanes == NARROW)
            for first in range(0, LANES, part.vector.count)
        ]
        while len(pairs) > 1:
            whole = range(2 * pairs[0][0].type.count)
            pairs = [
                [shuffle(builder, low, high, whole) for low, high in zip(*two, strict=True)]
                for two in zip(pairs[::2], pairs[1::2], strict=True)
            ]
        return context.make_tuple(builder, both, pairs[0])

    return both(scores, types.intp, types.intp, potentials, n, m), code


def part_of(context, lanes):
    """Return the type of as many lanes as a register holds: so most of a line stays in them."""
    features = context.codegen().magic_tuple()[2]
    bits = next(bits for feature, bits in REGISTERS if feature in features)
    count = min(LANES, bits // lanes.array_entry.bitwidth)
    return Vector(f"{count} of {lanes.name}", lanes.entry, lanes.array_entry, count)


def less(builder, a, b):
    """Emit a difference."""
    if isinstance(a.type.element, ir.IntType):
        return emit_take(builder, a, b)
    return builder.fsub(a, b)


def follow(builder, selection, value, narrow):
    """Emit a network's steps; return its outputs. Inputs are read when they are needed first."""
    larger, smaller = (emit_umax, emit_umin) if narrow else (emit_max, emit_min)
    values = {}

    def found(k):
        if k not in values:
            values[k] = value(k)
        return values[k]

    for step in selection.steps:
        a, b = found(step.first), found(step.second)
        if step.larger is not None:
            values[step.larger] = larger(builder, a, b)
        if step.smaller is not None:
            values[step.smaller] = smaller(builder, a, b)
    return [found(selection.nth), found(selection.next)]
