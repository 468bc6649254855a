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
set_                 Set
promote, demote      PromoteTo float64, DemoteTo float32; what is so already stays
abs_                 Abs
max_, min_           Max, Min; the second argument where one is NaN
max_abs              MaxMagnitude without its sign; NaN is larger than infinity
if_then_else         IfThenElse
ones_from_mask       VecFromMask of bytes, with 1 in place of -1
bits_from_mask       BitsFromMask
combine              Combine, the lower half first
gather_index         GatherIndex
set_fours            Set, of four numbers
==================== ==============================================================
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numba.np import arrayobj

__all__ = [
    "LANES",
    "abs_",
    "bits_from_mask",
    "call",
    "call_int",
    "combine",
    "demote",
    "gather_index",
    "if_then_else",
    "load",
    "max_",
    "max_abs",
    "min_",
    "ones_from_mask",
    "pointer",
    "popcount",
    "promote",
    "set_",
    "set_fours",
    "store",
]

LANES = 16
INDEX = ir.IntType(64)
SHUFFLE = ir.IntType(32)


class Vector(types.Type):
    """A numba type for 16 values of one LLVM type, or for another number."""

    def __init__(self, name, entry, array_entry=None, lanes=LANES):
        self.entry = entry
        self.vector = ir.VectorType(entry, lanes)
        self.array_entry = array_entry
        super().__init__(name=name)


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """Vectors of numba are handed around as LLVM's."""

    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, lanes.vector)


SINGLE = Vector("single lanes", ir.FloatType(), types.float32)
DOUBLE = Vector("double lanes", ir.DoubleType(), types.float64)
BYTE = Vector("byte lanes", ir.IntType(8), types.int8)
MASK = Vector("mask lanes", ir.IntType(1))
WORD = Vector("word lanes", ir.IntType(32), types.uint32)
WIDE_BYTE = Vector("wide byte lanes", ir.IntType(8), types.int8, 2 * LANES)
WIDE_MASK = Vector("wide mask lanes", ir.IntType(1), lanes=2 * LANES)
BY_ENTRY = {lanes.array_entry: lanes for lanes in (SINGLE, DOUBLE, BYTE, WORD)}
BYTES_OF = {MASK: BYTE, WIDE_MASK: WIDE_BYTE}


def constant(vector, value):
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * LANES)


def integers(lanes):
    """Return integers as wide as the floats of a vector, and all bits of them but the sign's."""
    bits = lanes.array_entry.bitwidth
    vector = ir.VectorType(ir.IntType(bits), LANES)
    return vector, constant(vector, (1 << bits - 1) - 1)


def address(context, builder, array_type, array, position, vector):
    if isinstance(array_type, types.CPointer):
        base = array
    else:
        base = arrayobj.make_array(array_type)(context, builder, array).data
    place = builder.gep(base, [position])
    return builder.bitcast(place, vector.as_pointer())


def read(context, builder, array_type, array, position, lanes):
    found = builder.load(address(context, builder, array_type, array, position, lanes.vector))
    found.align = array_type.dtype.bitwidth // 8
    return found


def write(context, builder, array_type, array, position, value):
    done = builder.store(value, address(context, builder, array_type, array, position, value.type))
    done.align = array_type.dtype.bitwidth // 8


def offset(builder, position, entries):
    return builder.add(position, ir.Constant(INDEX, entries))


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
def load(typing, array, position):
    """Read 16 entries of an array."""
    lanes = BY_ENTRY[array.dtype]

    def code(context, builder, signature, args):
        return read(context, builder, array, args[0], args[1], lanes)

    return lanes(array, types.intp), code


@intrinsic
def store(typing, array, position, value):
    """Write 16 entries of an array."""

    def code(context, builder, signature, args):
        write(context, builder, array, args[0], args[1], args[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, value), code


@intrinsic
def set_(typing, value):
    """Make lanes that all hold one float32, float64, int8 or uint32."""
    lanes = BY_ENTRY[value]

    def code(context, builder, signature, args):
        empty = ir.Constant(lanes.vector, ir.Undefined)
        first = builder.insert_element(empty, args[0], ir.Constant(SHUFFLE, 0))
        return shuffle(builder, first, empty, [0] * LANES)

    return lanes(value), code


@intrinsic
def set_fours(typing, a, b, c, d):
    """Make lanes of four numbers, each four times in a row."""
    lanes = BY_ENTRY[a]

    def code(context, builder, signature, args):
        found = ir.Constant(lanes.vector, ir.Undefined)
        for k in range(LANES):
            found = builder.insert_element(found, args[k // 4], ir.Constant(SHUFFLE, k))
        return found

    return lanes(a, b, c, d), code


@intrinsic
def gather_index(typing, array, position, indices, first):
    """Read the 16 entries that lie so far from a position as 16 indices say."""
    lanes = BY_ENTRY[array.dtype]

    def code(context, builder, signature, args):
        base, indices_ = builder.gep(args[0], [args[1]]), builder.gep(args[2], [args[3]])
        found = ir.Constant(lanes.vector, ir.Undefined)
        for k in range(LANES):
            index = builder.load(builder.gep(indices_, [ir.Constant(INDEX, k)]))
            entry = builder.load(builder.gep(base, [index]))
            found = builder.insert_element(found, entry, ir.Constant(SHUFFLE, k))
        return found

    return lanes(array, types.intp, indices, types.intp), code


def converting(result, emit):
    """Make an intrinsic that converts to a type; what is of it already stays."""

    @intrinsic
    def convert(typing, value):
        def code(context, builder, signature, args):
            return args[0] if value == result else emit(builder, args[0], result.vector)

        return result(value), code

    return convert


promote = converting(DOUBLE, ir.IRBuilder.fpext)
"""To float64, exactly."""
demote = converting(SINGLE, ir.IRBuilder.fptrunc)
"""To float32, rounded."""


@intrinsic
def ones_from_mask(typing, which):
    """Turn a mask into bytes of 0 and 1."""
    bytes_ = BYTES_OF[which]

    def code(context, builder, signature, args):
        return builder.zext(args[0], bytes_.vector)

    return bytes_(which), code


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
_equal = pairwise(lambda builder, a, b: builder.fcmp_ordered("==", a, b), MASK)
_same = pairwise(lambda builder, a, b: builder.icmp_signed("==", a, b), MASK)
_less = pairwise(lambda builder, a, b: builder.icmp_signed("<", a, b), MASK)
_both = pairwise(ir.IRBuilder.and_)
_either = pairwise(ir.IRBuilder.or_)


def _operators():
    """Give lanes their operators.

    These are + - * / > == on floats, + == on integers, < on bytes, & | on masks, | on words.
    """
    floats, bytes_, masks = (SINGLE, DOUBLE), (BYTE, WIDE_BYTE), (MASK, WIDE_MASK)
    integers = (*bytes_, WORD)
    table = (
        (operator.add, floats, _add),
        (operator.sub, floats, _subtract),
        (operator.mul, floats, _multiply),
        (operator.truediv, floats, _divide),
        (operator.gt, floats, _above),
        (operator.eq, floats, _equal),
        (operator.add, integers, _tally),
        (operator.eq, integers, _same),
        (operator.lt, bytes_, _less),
        (operator.and_, masks, _both),
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


def shuffle(builder, a, b, order):
    """Emit a shuffle of two vectors; positions count through both."""
    indices = ir.Constant(
        ir.VectorType(SHUFFLE, len(order)), [ir.Constant(SHUFFLE, k) for k in order]
    )
    return builder.shuffle_vector(a, b, indices)
