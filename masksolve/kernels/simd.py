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
prefetch             Prefetch
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
load_half, set_half  LoadU and Set of eight lanes, for what would fill too many registers
set_fours            Set of eight lanes, of two numbers
gather_index         GatherIndex of eight lanes
signs_from_ones      ShiftLeft<63> of PromoteTo int64: as float64, -0 for 1 and 0 for 0
xor_                 Xor
if_negative          IfNegativeThenElse
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
    "if_negative",
    "if_then_else",
    "load",
    "load_half",
    "mask_from_ones",
    "max_",
    "max_abs",
    "min_",
    "ones_from_mask",
    "pointer",
    "popcount",
    "prefetch",
    "promote",
    "set_",
    "set_fours",
    "set_half",
    "signs_from_ones",
    "store",
    "xor_",
]

LANES = 16
HALF = LANES // 2
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
HALF_SINGLE = Vector("half of single lanes", ir.FloatType(), types.float32, HALF)
HALF_DOUBLE = Vector("half of double lanes", ir.DoubleType(), types.float64, HALF)
HALF_BYTE = Vector("half of byte lanes", ir.IntType(8), types.int8, HALF)
HALF_MASK = Vector("half of mask lanes", ir.IntType(1), lanes=HALF)
BY_ENTRY = {lanes.array_entry: lanes for lanes in (SINGLE, DOUBLE, BYTE, WORD)}
HALF_BY_ENTRY = {lanes.array_entry: lanes for lanes in (HALF_SINGLE, HALF_DOUBLE, HALF_BYTE)}
BYTES_OF = {MASK: BYTE, WIDE_MASK: WIDE_BYTE}
MASK_OF = {BYTE: MASK, HALF_BYTE: HALF_MASK}


def constant(vector, value):
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def integers(lanes):
    """Return integers as wide as the floats of a vector, and all bits of them but the sign's."""
    bits = lanes.array_entry.bitwidth
    vector = ir.VectorType(ir.IntType(bits), lanes.vector.count)
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
load_half = loading(HALF_BY_ENTRY)
"""Read 8 entries of an array."""


@intrinsic
def prefetch(typing, array, position):
    """Begin to read what an entry lies in, if there is such memory; nothing waits for it."""

    def code(context, builder, signature, args):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        found = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(args[0], [args[1]]), byte)
        read, keep, data = (ir.Constant(number, k) for k in (0, 3, 1))
        builder.call(found, [place, read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), code


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


def broadcast(builder, value, vector):
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(SHUFFLE, 0))
    return shuffle(builder, first, empty, [0] * vector.count)


set_ = setting(BY_ENTRY)
"""Make lanes that all hold one float32, float64, int8 or uint32."""
set_half = setting(HALF_BY_ENTRY)
"""Make 8 lanes that all hold one float32, float64 or int8."""


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


@intrinsic
def signs_from_ones(typing, ones):
    """Turn 8 bytes of 0 and 1 into 0.0 and -0.0."""

    def code(context, builder, signature, args):
        vector, _ = integers(HALF_DOUBLE)
        wide = builder.zext(args[0], vector)
        return builder.bitcast(builder.shl(wide, constant(vector, 63)), HALF_DOUBLE.vector)

    return HALF_DOUBLE(ones), code


def emit_if_negative(builder, signs, value, other):
    vector = ir.VectorType(ir.IntType(64), signs.type.count)
    negative = builder.icmp_signed("<", builder.bitcast(signs, vector), constant(vector, 0))
    return builder.select(negative, value, other)


@intrinsic
def if_negative(typing, signs, value, other):
    """Take `value` where the sign of a float64 is set, else `other`."""

    def code(context, builder, signature, args):
        return emit_if_negative(builder, *args)

    return value(signs, value, other), code


@intrinsic
def xor_(typing, a, b):
    """Change the bits of floats that are set in others."""
    vector, _ = integers(a)

    def code(context, builder, signature, args):
        x, y = (builder.bitcast(v, vector) for v in args)
        return builder.bitcast(builder.xor(x, y), a.vector)

    return a(a, b), code


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
    whole, floats = (SINGLE, DOUBLE), (SINGLE, DOUBLE, HALF_SINGLE, HALF_DOUBLE)
    bytes_, masks = (BYTE, WIDE_BYTE), (MASK, WIDE_MASK)
    integers = (*bytes_, WORD)
    table = (
        (operator.add, floats, _add),
        (operator.sub, floats, _subtract),
        (operator.mul, floats, _multiply),
        (operator.truediv, floats, _divide),
        (operator.gt, whole, _above),
        (operator.eq, whole, _equal),
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
