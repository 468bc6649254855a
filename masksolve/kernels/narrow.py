"""Vectors of 16-bit integers: twice as many a register as of float32, and quicker to compare.

They are unsigned, but for the differences that `fraction` takes. Their operations have Highway's
names, as those of `simd`:

==================== ==============================================================
ours                 Highway's, and where ours differs
==================== ==============================================================
narrow               DemoteTo uint16 of NearestInt + 2**15, which saturates
widen                ConvertTo float32 of PromoteTo int32 of uint16
take                 SaturatedSub of uint16
average              AverageRound of uint16
fraction             MulFixedPoint15: times a share of 2**15, rounded to nearest
at_least_lanes       Max of uint16
==================== ==============================================================
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from masksolve.kernels.simd import pairwise
from masksolve.kernels.vectors import LANES, NARROW, SINGLE, constant, shuffle

__all__ = [
    "at_least_lanes",
    "average",
    "emit_umax",
    "emit_umin",
    "fraction",
    "narrow",
    "take",
    "widen",
]

WIDE = ir.VectorType(ir.IntType(32), LANES)
MAGIC = 1.5 * 2.0**23
"""Added to a float32 below 2**22, it leaves the nearest integer in the lowest bits."""
MAGIC_BITS = 0x4B400000
MIDDLE = 2**15


FRACTIONS = (
    ("x86_64", "+avx2", "llvm.x86.avx2.pmul.hr.sw", 16),
    ("x86_64", "+ssse3", "llvm.x86.ssse3.pmul.hr.sw.128", 8),
    ("aarch64", "+neon", "llvm.aarch64.neon.sqrdmulh.v8i16", 8),
)
"""Where one instruction multiplies fractions: architecture, feature, LLVM's name, lanes."""


def emit_umax(builder, a, b):
    """Emit the larger of two."""
    return builder.select(builder.icmp_unsigned(">", a, b), a, b)


def emit_umin(builder, a, b):
    """Emit the smaller of two."""
    return builder.select(builder.icmp_unsigned("<", a, b), a, b)


def emit_average(builder, a, b):
    total = builder.add(builder.zext(a, WIDE), builder.zext(b, WIDE))
    half = builder.lshr(builder.add(total, constant(WIDE, 1)), constant(WIDE, 1))
    return builder.trunc(half, NARROW.vector)


def emit_take(builder, a, b):
    name = f"llvm.usub.sat.v{a.type.count}i16"
    kind = ir.FunctionType(a.type, [a.type, a.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b])


average = pairwise(emit_average)
take = pairwise(emit_take)
at_least_lanes = pairwise(emit_umax)


@intrinsic
def fraction(typing, value, share):
    """Multiply by a share of 2**15, and round to nearest, halves up."""
    if not value == share == NARROW:
        return None

    def code(context, builder, signature, args):
        triple, _, features = context.codegen().magic_tuple()
        for architecture, feature, name, width in FRACTIONS:
            if triple.startswith(architecture) and feature in features:
                return in_parts(builder, name, width, args)
        # What no one instruction does here; the result is the same.
        a, b = (builder.sext(x, WIDE) for x in args)
        raised = builder.add(builder.mul(a, b), constant(WIDE, 1 << 14))
        return builder.trunc(builder.ashr(raised, constant(WIDE, 15)), NARROW.vector)

    return NARROW(value, share), code


def in_parts(builder, name, width, args):
    """Call what takes two vectors of so many lanes on one part after the other."""
    part = ir.VectorType(NARROW.entry, width)
    called = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(part, [part, part]), name
    )
    found = []
    for start in range(0, LANES, width):
        order = range(start, start + width)
        found.append(builder.call(called, [shuffle(builder, x, x, order) for x in args]))
    if len(found) == 1:
        return found[0]
    return shuffle(builder, *found, range(LANES))


@intrinsic
def narrow(typing, value):
    """Round float32 below 2**22, and raise it by 2**15, as far as there is room."""
    if value != SINGLE:
        return None

    def code(context, builder, signature, args):
        raised = builder.fadd(args[0], constant(SINGLE.vector, MAGIC))
        whole = builder.sub(builder.bitcast(raised, WIDE), constant(WIDE, MAGIC_BITS - MIDDLE))
        for sign, limit in (">", 0), ("<", 2**16 - 1):
            within = builder.icmp_signed(sign, whole, constant(WIDE, limit))
            whole = builder.select(within, whole, constant(WIDE, limit))
        return builder.trunc(whole, NARROW.vector)

    return NARROW(value), code


@intrinsic
def widen(typing, value):
    """Turn uint16 into float32."""
    if value != NARROW:
        return None

    def code(context, builder, signature, args):
        return builder.sitofp(builder.zext(args[0], WIDE), SINGLE.vector)

    return SINGLE(value), code
