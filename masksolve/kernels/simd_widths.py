"""Vectors of eight floats, where sixteen would not fit the registers, and of 32 bytes.

Their operations, but those that are written as `simd` writes them:

==================== ==============================================================
ours                 Highway's, and where ours differs
==================== ==============================================================
load_half, set_half  LoadU, Set of eight lanes
load_wide, set_wide  LoadU, Set of 32 bytes
set_fours            Set of eight lanes, of two numbers
gather_index         GatherIndex of eight lanes
signs_from_ones      ShiftLeft<63> of PromoteTo int64: as float64, -0 for 1 and 0 for 0
xor_                 Xor
if_negative          IfNegativeThenElse
zero_if_negative     ZeroIfNegative, and of NaN
==================== ==============================================================
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from masksolve.kernels.simd import loading, setting
from masksolve.kernels.vectors import (
    HALF,
    HALF_BY_ENTRY,
    HALF_DOUBLE,
    INDEX,
    SHUFFLE,
    WIDE_BY_ENTRY,
    broadcast,
    constant,
    integers,
    shuffle,
)

__all__ = [
    "gather_index",
    "if_negative",
    "load_half",
    "load_wide",
    "set_fours",
    "set_half",
    "set_wide",
    "signs_from_ones",
    "xor_",
    "zero_if_negative",
]

load_half = loading(HALF_BY_ENTRY)
"""Read 8 entries of an array."""
load_wide = loading(WIDE_BY_ENTRY)
"""Read 32 bytes of an array."""

set_half = setting(HALF_BY_ENTRY)
"""Make 8 lanes that all hold one float32, float64 or int8."""
set_wide = setting(WIDE_BY_ENTRY)
"""Make 32 lanes that all hold one int8."""


@intrinsic
def set_fours(typing, a, b):
    """Make 8 lanes of two numbers, each four times in a row."""
    lanes = HALF_BY_ENTRY[a]

    def code(context, builder, signature, args):
        low, high = (broadcast(builder, number, lanes.vector) for number in args)
        return shuffle(builder, low, high, [*range(4), *range(HALF + 4, 2 * HALF)])

    return lanes(a, b), code


@intrinsic
def gather_index(typing, array, position, indices, first):
    """Read the 8 entries that lie so far from a position as 8 indices say."""
    lanes = HALF_BY_ENTRY[array.dtype]

    def code(context, builder, signature, args):
        base, indices_ = builder.gep(args[0], [args[1]]), builder.gep(args[2], [args[3]])
        found = ir.Constant(lanes.vector, ir.Undefined)
        for k in range(HALF):
            index = builder.load(builder.gep(indices_, [ir.Constant(INDEX, k)]))
            entry = builder.load(builder.gep(base, [index]))
            found = builder.insert_element(found, entry, ir.Constant(SHUFFLE, k))
        return found

    return lanes(array, types.intp, indices, types.intp), code


@intrinsic
def signs_from_ones(typing, ones):
    """Turn 8 bytes of 0 and 1 into 0.0 and -0.0."""

    def code(context, builder, signature, args):
        vector, _ = integers(HALF_DOUBLE)
        wide = builder.zext(args[0], vector)
        return builder.bitcast(builder.shl(wide, constant(vector, 63)), HALF_DOUBLE.vector)

    return HALF_DOUBLE(ones), code


@intrinsic
def if_negative(typing, signs, value, other):
    """Take `value` where the sign of a float64 is set, else `other`."""
    vector, _ = integers(signs)

    def code(context, builder, signature, args):
        bits = builder.bitcast(args[0], vector)
        negative = builder.icmp_signed("<", bits, constant(vector, 0))
        return builder.select(negative, args[1], args[2])

    return value(signs, value, other), code


@intrinsic
def zero_if_negative(typing, value):
    """Put zero in place of what is below it; a NaN becomes either."""

    def code(context, builder, signature, args):
        vector = args[0].type
        kind = ir.FunctionType(vector, [vector, vector])
        name = f"llvm.maxnum.v{vector.count}f{value.array_entry.bitwidth}"
        larger = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(larger, [args[0], constant(vector, 0.0)], fastmath=("nnan", "nsz"))

    return value(value), code


@intrinsic
def xor_(typing, a, b):
    """Change the bits of floats that are set in others."""
    vector, _ = integers(a)

    def code(context, builder, signature, args):
        x, y = (builder.bitcast(v, vector) for v in args)
        return builder.bitcast(builder.xor(x, y), a.vector)

    return a(a, b), code
