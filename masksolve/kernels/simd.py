"""Vectors of 16 lanes inside numba kernels: a value of 16 tiles at a time.

numba's loop vectoriser decides by itself whether and how; these types say it outright,
and compile twenty times faster than loops that it would have to analyse. LLVM maps a
vector to what the machine has: one AVX-512 register, two of AVX2, four of NEON. All
arithmetic is IEEE, lane by lane, so a tile's result never depends on its neighbours.

Arrays are flat, or bare pointers (`span`); positions count entries, and a vector takes
16 of them in a row. The functions that take ``m`` or ``n`` need them as compile-time
constants.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numba.np import arrayobj

from masksolve.kernels.network import selection_network

__all__ = [
    "LANES",
    "ask",
    "bits",
    "count",
    "fill",
    "larger",
    "larger_size",
    "load",
    "load_tiles",
    "magnitude",
    "middle",
    "narrow",
    "pick",
    "run",
    "smaller",
    "span",
    "store",
    "store_tiles",
    "wide",
]

LANES = 16
INDEX = ir.IntType(64)
SHUFFLE = ir.IntType(32)


class Lanes(types.Type):
    """A numba type for 16 values of one LLVM type."""

    def __init__(self, name, entry, array_entry=None):
        self.entry = entry
        self.vector = ir.VectorType(entry, LANES)
        self.array_entry = array_entry
        super().__init__(name=name)


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """Lanes are handed around as LLVM vectors."""

    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, lanes.vector)


SINGLE = Lanes("single lanes", ir.FloatType(), types.float32)
DOUBLE = Lanes("double lanes", ir.DoubleType(), types.float64)
BYTE = Lanes("byte lanes", ir.IntType(8), types.int8)
BIT = Lanes("bit lanes", ir.IntType(1))
BY_ENTRY = {lanes.array_entry: lanes for lanes in (SINGLE, DOUBLE, BYTE)}
INTEGERS = {SINGLE: (ir.IntType(32), 0x7FFFFFFF), DOUBLE: (ir.IntType(64), (1 << 63) - 1)}


def constant(lanes, value):
    return ir.Constant(lanes.vector, [ir.Constant(lanes.entry, value)] * LANES)


def pointer(context, builder, array_type, array, position, vector):
    if isinstance(array_type, types.CPointer):
        base = array
    else:
        base = arrayobj.make_array(array_type)(context, builder, array).data
    place = builder.gep(base, [position])
    return builder.bitcast(place, vector.as_pointer())


def read(context, builder, array_type, array, position, lanes):
    found = builder.load(pointer(context, builder, array_type, array, position, lanes.vector))
    found.align = array_type.dtype.bitwidth // 8
    return found


def write(context, builder, array_type, array, position, value):
    done = builder.store(value, pointer(context, builder, array_type, array, position, value.type))
    done.align = array_type.dtype.bitwidth // 8


def offset(builder, position, entries):
    return builder.add(position, ir.Constant(INDEX, entries))


@intrinsic
def span(typing, array):
    """Return a bare pointer to an array's first entry.

    It costs no reference counting, which takes longer than a vector's arithmetic. The
    array must be kept alive elsewhere.
    """

    def code(context, builder, signature, args):
        return arrayobj.make_array(array)(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), code


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
def fill(typing, value):
    """Make lanes that all hold one float32, float64 or int8."""
    lanes = BY_ENTRY[value]

    def code(context, builder, signature, args):
        empty = ir.Constant(lanes.vector, ir.Undefined)
        first = builder.insert_element(empty, args[0], ir.Constant(SHUFFLE, 0))
        return shuffle(builder, first, empty, [0] * LANES)

    return lanes(value), code


@intrinsic
def wide(typing, value):
    """Convert to float64, exactly."""

    def code(context, builder, signature, args):
        return args[0] if value == DOUBLE else builder.fpext(args[0], DOUBLE.vector)

    return DOUBLE(value), code


@intrinsic
def narrow(typing, value):
    """Round to float32."""

    def code(context, builder, signature, args):
        return args[0] if value == SINGLE else builder.fptrunc(args[0], SINGLE.vector)

    return SINGLE(value), code


@intrinsic
def magnitude(typing, value):
    """Drop the signs."""
    entry, mask = INTEGERS[value]
    vector = ir.VectorType(entry, LANES)

    def code(context, builder, signature, args):
        drop_sign = ir.Constant(vector, [ir.Constant(entry, mask)] * LANES)
        return builder.bitcast(
            builder.and_(builder.bitcast(args[0], vector), drop_sign), value.vector
        )

    return value(value), code


def pairwise(emit, result=None):
    """Make an intrinsic of two lanes of the same type."""

    @intrinsic
    def operation(typing, a, b):
        if not isinstance(a, Lanes) or a != b:
            return None

        def code(context, builder, signature, args):
            return emit(builder, args[0], args[1])

        return (result or a)(a, b), code

    return operation


def emit_larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def emit_smaller(builder, a, b):
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


larger = pairwise(emit_larger)
smaller = pairwise(emit_smaller)
_add = pairwise(lambda builder, a, b: builder.fadd(a, b))
_subtract = pairwise(lambda builder, a, b: builder.fsub(a, b))
_multiply = pairwise(lambda builder, a, b: builder.fmul(a, b))
_divide = pairwise(lambda builder, a, b: builder.fdiv(a, b))
_above = pairwise(lambda builder, a, b: builder.fcmp_ordered(">", a, b), BIT)
_tally = pairwise(lambda builder, a, b: builder.add(a, b))
_same = pairwise(lambda builder, a, b: builder.icmp_signed("==", a, b), BIT)
_less = pairwise(lambda builder, a, b: builder.icmp_signed("<", a, b), BIT)
_both = pairwise(lambda builder, a, b: builder.and_(a, b))
_either = pairwise(lambda builder, a, b: builder.or_(a, b))


def _operators():
    """Give lanes their operators: + - * / > on floats, + == < on bytes, & | on bits."""
    floats, bytes_, bits_ = (SINGLE, DOUBLE), (BYTE,), (BIT,)
    table = (
        (operator.add, floats, _add),
        (operator.sub, floats, _subtract),
        (operator.mul, floats, _multiply),
        (operator.truediv, floats, _divide),
        (operator.gt, floats, _above),
        (operator.add, bytes_, _tally),
        (operator.eq, bytes_, _same),
        (operator.lt, bytes_, _less),
        (operator.and_, bits_, _both),
        (operator.or_, bits_, _either),
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
def pick(typing, which, value, other):
    """Take `value` where the bit is set, else `other`."""

    def code(context, builder, signature, args):
        return builder.select(args[0], args[1], args[2])

    return value(which, value, other), code


@intrinsic
def count(typing, which):
    """Turn bits into bytes of 0 and 1."""

    def code(context, builder, signature, args):
        return builder.zext(args[0], BYTE.vector)

    return BYTE(which), code


@intrinsic
def bits(typing, which):
    """Turn 16 bits into one integer, lane 0 lowest."""

    def code(context, builder, signature, args):
        word = builder.bitcast(args[0], ir.IntType(LANES))
        return builder.zext(word, INDEX)

    return types.intp(which), code


@intrinsic
def larger_size(typing, a, b):
    """Return the larger |value| of two lanes; NaN counts as larger than infinity."""
    entry, mask = INTEGERS[a]
    vector = ir.VectorType(entry, LANES)

    def code(context, builder, signature, args):
        drop_sign = ir.Constant(vector, [ir.Constant(entry, mask)] * LANES)
        x, y = (builder.and_(builder.bitcast(v, vector), drop_sign) for v in args)
        greater = builder.select(builder.icmp_signed(">", x, y), x, y)
        return builder.bitcast(greater, a.vector)

    return a(a, b), code


def calling(result):
    """Make a function that calls a C function by address, with arguments of its types."""

    @intrinsic
    def call(typing, address, arguments):
        def code(context, builder, signature, args):
            values = cgutils.unpack_tuple(builder, args[1])
            void = result == types.void
            returned = ir.VoidType() if void else context.get_value_type(result)
            kind = ir.FunctionType(returned, [value.type for value in values])
            found = builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
            return context.get_dummy_value() if void else found

        return result(types.intp, arguments), code

    return call


run = calling(types.void)
ask = calling(types.intp)


def shuffle(builder, a, b, order):
    """Emit a shuffle of two vectors; positions count through both."""
    indices = ir.Constant(
        ir.VectorType(SHUFFLE, len(order)), [ir.Constant(SHUFFLE, k) for k in order]
    )
    return builder.shuffle_vector(a, b, indices)


@intrinsic
def middle(typing, scores, position, step, prices, n, m):
    """Find the point halfway between the n-th and (n+1)-th largest of a line.

    The line has m entries ``scores[position + k * step] - prices[16 k]``, k < m.
    """
    if not (isinstance(n, types.IntegerLiteral) and isinstance(m, types.IntegerLiteral)):
        return None
    size = m.literal_value
    network = selection_network(n.literal_value, size)

    def code(context, builder, signature, args):
        scores_, start, stride, prices_ = args[:4]
        values = {}
        for k in range(size):
            place = builder.add(start, builder.mul(stride, ir.Constant(INDEX, k)))
            score = read(context, builder, scores, scores_, place, SINGLE)
            at = ir.Constant(INDEX, k * LANES)
            values[k] = builder.fsub(score, read(context, builder, prices, prices_, at, SINGLE))
        for a, b, above, below in network.steps:
            if above is not None:
                values[above] = emit_larger(builder, values[a], values[b])
            if below is not None:
                values[below] = emit_smaller(builder, values[a], values[b])
        both = builder.fadd(values[network.nth], values[network.next])
        return builder.fmul(both, constant(SINGLE, 0.5))

    return SINGLE(scores, types.intp, types.intp, prices, n, m), code


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
    """Undo `separate`, to one long vector."""
    if len(vectors) % 2:
        return vectors[0]
    even = interleave(builder, vectors[0::2])
    odd = interleave(builder, vectors[1::2])
    width = even.type.count
    return shuffle(builder, even, odd, [j for k in range(width) for j in (k, width + k)])


@intrinsic
def load_tiles(typing, matrix, position, take_magnitude, top, scores, place, m):
    """Read one row of 16 adjacent tiles: ``scores[place + 16 k]``, k < m, gets entry k.

    m is a power of two. Drops the signs if told to; returns the largest magnitude of
    `top` and of what was read, NaN being larger than infinity.
    """
    if not isinstance(m, types.IntegerLiteral):
        return None
    lanes, size = BY_ENTRY[matrix.dtype], m.literal_value
    entry, mask = INTEGERS[lanes]
    vector = ir.VectorType(entry, LANES)

    def code(context, builder, signature, args):
        matrix_, start, take, top_, scores_, place_, _ = args
        row = [
            read(context, builder, matrix, matrix_, offset(builder, start, k * LANES), lanes)
            for k in range(size)
        ]
        no_sign = ir.Constant(vector, [ir.Constant(entry, mask)] * LANES)
        all_bits = ir.Constant(vector, [ir.Constant(entry, -1)] * LANES)
        keep = builder.select(take, no_sign, all_bits)
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
def store_tiles(typing, flags, place, mask, position, m):
    """Write one row of 16 adjacent tiles: bytes ``flags[place + 16 k]``, k < m."""
    if not isinstance(m, types.IntegerLiteral):
        return None

    def code(context, builder, signature, args):
        flags_, place_, mask_, position_, _ = args
        row = [
            read(context, builder, flags, flags_, offset(builder, place_, k * LANES), BYTE)
            for k in range(m.literal_value)
        ]
        write(context, builder, mask, mask_, position_, interleave(builder, row))
        return context.get_dummy_value()

    return types.void(flags, types.intp, mask, types.intp, m), code
