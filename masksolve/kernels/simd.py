"""Vectors of 16 lanes inside numba kernels: a value of 16 tiles at a time.

numba's loop vectoriser decides by itself whether and how; these types say it outright,
and compile twenty times faster than loops that it would have to analyse. LLVM maps a
vector to what the machine has: one AVX-512 register, two of AVX2, four of NEON. All
arithmetic is IEEE, lane by lane, so a tile's result never depends on its neighbours.

Arrays are flat, or bare pointers; positions count entries, and a vector takes 16 of them
in a row.

Operations have the names of Highway (github.com/google/highway, hwy/ops), as Python spells
them; ``a + b`` and so on are its ``Add``, ``Sub``, ``Mul``, ``Div``, ``Gt``, ``And``, ``Or``.

==================== ==============================================================
ours                 Highway's, and where ours differs
==================== ==============================================================
load, store          LoadU, StoreU
prefetch             Prefetch; prefetch_to_write has no like
set_                 Set
promote, demote      PromoteTo float64, DemoteTo float32; what is so already stays
abs_                 Abs
max_, min_           Max, Min; the second argument where one is NaN
max_abs              MaxMagnitude without its sign; NaN is larger than infinity
if_then_else         IfThenElse
ones_from_mask       VecFromMask of bytes, with 1 in place of -1
mask_from_ones       MaskFromVec of bytes, by their lowest bits
bits_from_mask       BitsFromMask
combine              Combine, the lower half first
==================== ==============================================================
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np import arrayobj

from masksolve.kernels.vectors import (
    BY_ENTRY,
    BYTE,
    BYTES_OF,
    DOUBLE,
    HALF_DOUBLE,
    HALF_SINGLE,
    INDEX,
    LANES,
    MASK,
    MASK_OF,
    NARROW,
    SINGLE,
    WIDE_BYTE,
    WIDE_MASK,
    WORD,
    Vector,
    broadcast,
    integers,
    read,
    shuffle,
    write,
)

__all__ = [
    "LANES",
    "abs_",
    "as_bytes",
    "at",
    "bits_from_mask",
    "call",
    "call_int",
    "combine",
    "copy",
    "demote",
    "if_then_else",
    "load",
    "mask_from_ones",
    "max_",
    "max_abs",
    "min_",
    "ones_from_mask",
    "pointer",
    "popcount",
    "prefetch",
    "prefetch_to_write",
    "promote",
    "set_",
    "store",
]


@intrinsic
def pointer(typing, array, position):
    """Return a bare pointer to an array's entry.

    It costs no reference counting, which takes longer than a vector's arithmetic. The
    array must be kept alive elsewhere.
    """

    def code(context, builder, signature, args):
        base = arrayobj.make_array(array)(context, builder, args[0]).data
        return builder.gep(base, [args[1]])

    return types.CPointer(array.dtype)(array, types.intp), code


@intrinsic
def at(typing, array, position):
    """Return a bare pointer to what lies so many entries after where another points."""

    def code(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return array(array, types.intp), code


@intrinsic
def copy(typing, to, source, count):
    """Copy so many entries."""

    def code(context, builder, signature, args):
        size = ir.Constant(INDEX, to.dtype.bitwidth // 8)
        to_, from_ = (builder.bitcast(x, ir.IntType(8).as_pointer()) for x in args[:2])
        cgutils.raw_memcpy(builder, to_, from_, args[2], size)
        return context.get_dummy_value()

    if to != source:
        return None
    return types.void(to, source, types.intp), code


@intrinsic
def as_bytes(typing, array, position):
    """Return a bare pointer to a byte, so many after where another points."""

    def code(context, builder, signature, args):
        start = builder.bitcast(args[0], ir.IntType(8).as_pointer())
        return builder.gep(start, [args[1]])

    return types.CPointer(types.int8)(array, types.intp), code


def loading(by_entry):
    """Make an intrinsic that reads as many entries as its vectors hold."""

    @intrinsic
    def loaded(typing, array, position):
        lanes = by_entry[array.dtype]

        def code(context, builder, signature, args):
            return read(context, builder, array, args[0], args[1], lanes)

        return lanes(array, types.intp), code

    return loaded


load = loading(BY_ENTRY)
"""Read 16 entries of an array."""


def prefetching(write):
    """Make an intrinsic that begins to read memory, so as to write there too if told."""

    @intrinsic
    def fetch(typing, array, position):
        def code(context, builder, signature, args):
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            found = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            place = builder.bitcast(builder.gep(args[0], [args[1]]), byte)
            how, keep, data = (ir.Constant(number, k) for k in (write, 3, 1))
            builder.call(found, [place, how, keep, data])
            return context.get_dummy_value()

        return types.void(array, types.intp), code

    return fetch


prefetch = prefetching(0)
"""Begin to read what an entry lies in, if there is such memory; nothing waits for it."""
prefetch_to_write = prefetching(1)
"""Do so with what is going to be written."""


@intrinsic
def store(typing, array, position, value):
    """Write 16 entries of an array."""

    def code(context, builder, signature, args):
        write(context, builder, array, args[0], args[1], args[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, value), code


def setting(by_entry):
    """Make an intrinsic that makes lanes that all hold one number."""

    @intrinsic
    def set_all(typing, value):
        lanes = by_entry[value]

        def code(context, builder, signature, args):
            return broadcast(builder, args[0], lanes.vector)

        return lanes(value), code

    return set_all


set_ = setting(BY_ENTRY)
"""Make lanes that all hold one float32, float64, int8 or uint32."""


def converting(results, emit):
    """Make an intrinsic that converts to a type of as many lanes; what is of it already stays."""
    by_lanes = {result.vector.count: result for result in results}

    @intrinsic
    def convert(typing, value):
        result = by_lanes[value.vector.count]

        def code(context, builder, signature, args):
            return args[0] if value == result else emit(builder, args[0], result.vector)

        return result(value), code

    return convert


promote = converting((DOUBLE, HALF_DOUBLE), ir.IRBuilder.fpext)
"""To float64, exactly."""
demote = converting((SINGLE, HALF_SINGLE), ir.IRBuilder.fptrunc)
"""To float32, rounded."""


@intrinsic
def ones_from_mask(typing, which):
    """Turn a mask into bytes of 0 and 1."""
    bytes_ = BYTES_OF[which]

    def code(context, builder, signature, args):
        return builder.zext(args[0], bytes_.vector)

    return bytes_(which), code


@intrinsic
def mask_from_ones(typing, ones):
    """Turn bytes of 0 and 1 into a mask."""
    mask = MASK_OF[ones]

    def code(context, builder, signature, args):
        return builder.trunc(args[0], mask.vector)

    return mask(ones), code


@intrinsic
def combine(typing, low, high):
    """Put two masks together to one twice as wide."""

    def code(context, builder, signature, args):
        return shuffle(builder, *args, range(2 * LANES))

    return WIDE_MASK(low, high), code


@intrinsic
def abs_(typing, value):
    """Drop the signs."""
    vector, no_sign = integers(value)

    def code(context, builder, signature, args):
        size = builder.and_(builder.bitcast(args[0], vector), no_sign)
        return builder.bitcast(size, value.vector)

    return value(value), code


def pairwise(emit, result=None):
    """Make an intrinsic of two lanes of the same type."""

    @intrinsic
    def operation(typing, a, b):
        if not isinstance(a, Vector) or a != b:
            return None

        def code(context, builder, signature, args):
            return emit(builder, args[0], args[1])

        return (result or a)(a, b), code

    return operation


def emit_max(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def emit_min(builder, a, b):
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


max_ = pairwise(emit_max)
min_ = pairwise(emit_min)
_add = pairwise(ir.IRBuilder.fadd)
_subtract = pairwise(ir.IRBuilder.fsub)
_multiply = pairwise(ir.IRBuilder.fmul)
_divide = pairwise(ir.IRBuilder.fdiv)
_above = pairwise(lambda builder, a, b: builder.fcmp_ordered(">", a, b), MASK)
_tally = pairwise(ir.IRBuilder.add)
_take = pairwise(ir.IRBuilder.sub)
_equal = pairwise(lambda builder, a, b: builder.fcmp_ordered("==", a, b), MASK)
_same = pairwise(lambda builder, a, b: builder.icmp_signed("==", a, b), MASK)
_less = pairwise(lambda builder, a, b: builder.icmp_signed("<", a, b), MASK)
_both = pairwise(ir.IRBuilder.and_)
_either = pairwise(ir.IRBuilder.or_)


def _operators():
    """Give lanes their operators.

    These are + - * / > == on floats, + == on integers, - on narrow ones and words, < on bytes,
    & | on masks and words.
    """
    whole, floats = (SINGLE, DOUBLE), (SINGLE, DOUBLE, HALF_SINGLE, HALF_DOUBLE)
    bytes_, masks = (BYTE, WIDE_BYTE), (MASK, WIDE_MASK)
    integers = (*bytes_, WORD, NARROW)
    table = (
        (operator.add, floats, _add),
        (operator.sub, floats, _subtract),
        (operator.sub, (NARROW, WORD), _take),
        (operator.mul, floats, _multiply),
        (operator.truediv, floats, _divide),
        (operator.gt, whole, _above),
        (operator.eq, whole, _equal),
        (operator.add, integers, _tally),
        (operator.eq, integers, _same),
        (operator.lt, bytes_, _less),
        (operator.and_, (*masks, WORD), _both),
        (operator.or_, (*masks, WORD), _either),
    )
    for symbol, kinds, function in table:

        def make(kinds, function):
            def typed(a, b):
                if a in kinds and a == b:
                    return lambda a, b: function(a, b)
                return None

            return typed

        overload(symbol, inline="always")(make(kinds, function))


_operators()


@intrinsic
def if_then_else(typing, which, value, other):
    """Take `value` where the mask is set, else `other`."""

    def code(context, builder, signature, args):
        return builder.select(args[0], args[1], args[2])

    return value(which, value, other), code


@intrinsic
def bits_from_mask(typing, which):
    """Turn a mask into one integer, lane 0 lowest."""

    def code(context, builder, signature, args):
        word = builder.bitcast(args[0], ir.IntType(which.vector.count))
        return builder.zext(word, INDEX)

    return types.intp(which), code


@intrinsic
def popcount(typing, word):
    """Count the bits of an integer."""

    def code(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.intp(types.intp), code


@intrinsic
def max_abs(typing, a, b):
    """Return the larger |value| of two lanes; NaN counts as larger than infinity."""
    vector, no_sign = integers(a)

    def code(context, builder, signature, args):
        x, y = (builder.and_(builder.bitcast(v, vector), no_sign) for v in args)
        greater = builder.select(builder.icmp_signed(">", x, y), x, y)
        return builder.bitcast(greater, a.vector)

    return a(a, b), code


def calling(result):
    """Make a function that calls a C function by address, with arguments of its types."""

    @intrinsic
    def called(typing, address, arguments):
        def code(context, builder, signature, args):
            values = cgutils.unpack_tuple(builder, args[1])
            void = result == types.void
            returned = ir.VoidType() if void else context.get_value_type(result)
            kind = ir.FunctionType(returned, [value.type for value in values])
            found = builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
            return context.get_dummy_value() if void else found

        return result(types.intp, arguments), code

    return called


call = calling(types.void)
call_int = calling(types.intp)
