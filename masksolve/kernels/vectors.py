"""The types of vectors, for numba and for LLVM, and what emits the simplest code for them."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import models, register_model
from numba.np import arrayobj

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
NARROW = Vector("narrow lanes", ir.IntType(16), types.int16)
WIDE_BYTE = Vector("wide byte lanes", ir.IntType(8), types.int8, 2 * LANES)
WIDE_MASK = Vector("wide mask lanes", ir.IntType(1), lanes=2 * LANES)
HALF_SINGLE = Vector("half of single lanes", ir.FloatType(), types.float32, HALF)
HALF_DOUBLE = Vector("half of double lanes", ir.DoubleType(), types.float64, HALF)
HALF_BYTE = Vector("half of byte lanes", ir.IntType(8), types.int8, HALF)
BY_ENTRY = {lanes.array_entry: lanes for lanes in (SINGLE, DOUBLE, BYTE, WORD, NARROW)}
HALF_BY_ENTRY = {lanes.array_entry: lanes for lanes in (HALF_SINGLE, HALF_DOUBLE, HALF_BYTE)}
WIDE_BY_ENTRY = {lanes.array_entry: lanes for lanes in (WIDE_BYTE,)}
BYTES_OF = {MASK: BYTE, WIDE_MASK: WIDE_BYTE}
MASK_OF = {bytes_: mask for mask, bytes_ in BYTES_OF.items()}


def constant(vector, value):
    """Make a constant vector of one value."""
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def integers(lanes):
    """Return integers as wide as the floats of a vector, and all bits of them but the sign's."""
    bits = lanes.array_entry.bitwidth
    vector = ir.VectorType(ir.IntType(bits), lanes.vector.count)
    return vector, constant(vector, (1 << bits - 1) - 1)


def address(context, builder, array_type, array, position, vector):
    """Return where a vector lies that begins at an array's entry."""
    if isinstance(array_type, types.CPointer):
        base = array
    else:
        base = arrayobj.make_array(array_type)(context, builder, array).data
    place = builder.gep(base, [position])
    return builder.bitcast(place, vector.as_pointer())


def read(context, builder, array_type, array, position, lanes):
    """Read a vector from an array, wherever it begins."""
    found = builder.load(address(context, builder, array_type, array, position, lanes.vector))
    found.align = array_type.dtype.bitwidth // 8
    return found


def write(context, builder, array_type, array, position, value):
    """Write one."""
    done = builder.store(value, address(context, builder, array_type, array, position, value.type))
    done.align = array_type.dtype.bitwidth // 8


def offset(builder, position, entries):
    """Add to a position."""
    return builder.add(position, ir.Constant(INDEX, entries))


def broadcast(builder, value, vector):
    """Make a vector that has a value everywhere."""
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(SHUFFLE, 0))
    return shuffle(builder, first, empty, [0] * vector.count)


def shuffle(builder, a, b, order):
    """Emit a shuffle of two vectors; positions count through both."""
    indices = ir.Constant(
        ir.VectorType(SHUFFLE, len(order)), [ir.Constant(SHUFFLE, k) for k in order]
    )
    return builder.shuffle_vector(a, b, indices)
