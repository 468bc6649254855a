"""Whole numbers of 32 bits in lanes, signed; they lie in words.

==================== ==============================================================
ours                 Highway's, and where ours differs
==================== ==============================================================
truncate             ConvertTo int32
as_single            ConvertTo float32 of int32
as_double            PromoteTo float64 of int32
lesser, greater      Min, Max of int32
exceeds              Gt of int32
==================== ==============================================================
"""

from __future__ import annotations

from llvmlite import ir
from numba.extending import intrinsic

from masksolve.kernels.simd import pairwise
from masksolve.kernels.vectors import DOUBLE, MASK, SINGLE, WORD

__all__ = ["as_double", "as_single", "exceeds", "greater", "lesser", "truncate"]


def converting(source, result, emit):
    """Make an intrinsic that converts lanes of one type to another."""

    @intrinsic
    def convert(typing, value):
        if value != source:
            return None

        def code(context, builder, signature, args):
            return emit(builder, args[0], result.vector)

        return result(value), code

    return convert


truncate = converting(SINGLE, WORD, ir.IRBuilder.fptosi)
as_single = converting(WORD, SINGLE, ir.IRBuilder.sitofp)
as_double = converting(WORD, DOUBLE, ir.IRBuilder.sitofp)


def emit_lesser(builder, a, b):
    """Emit the smaller of two."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def emit_greater(builder, a, b):
    """Emit the larger of two."""
    return builder.select(builder.icmp_signed(">", a, b), a, b)


lesser = pairwise(emit_lesser)
greater = pairwise(emit_greater)
exceeds = pairwise(lambda builder, a, b: builder.icmp_signed(">", a, b), MASK)
