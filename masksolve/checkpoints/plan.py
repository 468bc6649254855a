"""What a run will do, worked out from headers alone: files, tensors, slices, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from masksolve.checkpoints.slices import cut
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.work import Slice
from masksolve.errors import about
from masksolve.inputs import as_axes
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.problem import warn_of_kernels
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.records import KEY, MaskRecord, describe
from masksolve.storage.tensors import DTYPES, TensorFile, TensorSpec, make_header, refuse_dtype
from masksolve.tiles import TileLayout

__all__ = ["Method", "Shard", "Tensor", "plan_shards"]


@dataclass(frozen=True)
class Method:
    """How every tensor of a run is solved."""

    pattern: Pattern
    name: str
    options: Mapping[str, float]
    repair: bool
    threads: int | None


@dataclass(frozen=True)
class Tensor:
    """A tensor of an output file.

    Attributes
    ----------
    source : TensorSpec
        As it lies in the checkpoint.
    output : TensorSpec
        As it will lie: the same, or its packed mask.
    offset : int
        Of its first byte in the checkpoint's file.
    slices : tuple of Slice
        To be solved; none: it is copied as it is.
    """

    source: TensorSpec
    output: TensorSpec
    offset: int
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Shard:
    """An output file.

    Attributes
    ----------
    name : str
    file : TensorFile
        The one that it is made from.
    tensors : tuple of Tensor
    kind : str
        ``"masks"`` or ``"weights"``.
    room : int
        Bytes of its header.
    """

    name: str
    file: TensorFile
    tensors: tuple[Tensor, ...]
    kind: str
    room: int

    @property
    def nbytes(self) -> int:
        """Length of the file."""
        return 8 + self.room + sum(tensor.output.nbytes for tensor in self.tensors)

    def header(self, records: Mapping[str, MaskRecord]) -> bytes:
        """Make the file's first bytes."""
        content = _header(self.file, self.tensors, self.kind, records)
        return self.room.to_bytes(8, "little") + content.ljust(self.room)


def plan_shards(
    checkpoint: Checkpoint,
    chosen: Mapping[str, tuple[int, int]],
    method: Method,
    *,
    apply: bool,
    most: int,
) -> list[Shard]:
    """Plan the output files.

    Parameters
    ----------
    checkpoint : Checkpoint
    chosen : mapping of str to tuple of int
        The tensors to solve, and the axes of each one's matrix.
    method : Method
    apply : bool
        Whether to write the whole checkpoint with masked weights, rather than masks.
    most : int
        Bytes of the largest slice.

    Raises
    ------
    FileFormatError, InvalidInput
        Naming the file and the tensor that cannot be solved.
    """
    shards = []
    for name, file in checkpoint.shards.items():
        tensors, longest = [], {}
        for spec in file.tensors.values():
            slices: tuple[Slice, ...] = ()
            output = spec
            if spec.name in chosen:
                layout = _layout(file, spec, chosen[spec.name], method.pattern)
                record = MaskRecord.longest(spec.shape, method.pattern, layout, method.name)
                longest[spec.name] = record
                slices = tuple(_slices(file, spec, layout.axes, method, most))
                output = spec if apply else TensorSpec.packed(spec.name, spec.shape)
            if slices or apply:
                tensors.append(Tensor(spec, output, file.offset(spec.name), slices))
        if tensors:
            kind = "weights" if apply else "masks"
            room = -(-len(_header(file, tensors, kind, longest)) // 8) * 8
            shards.append(Shard(name, file, tuple(tensors), kind, room))
    return shards


def _header(
    file: TensorFile,
    tensors: tuple[Tensor, ...] | list[Tensor],
    kind: str,
    records: Mapping[str, MaskRecord],
) -> bytes:
    others = {} if kind == "masks" else {k: v for k, v in file.metadata.items() if k != KEY}
    ours = describe(kind, records) if records else {}
    return make_header([tensor.output for tensor in tensors], others | ours)


def _layout(file: TensorFile, spec: TensorSpec, axes: tuple[int, int], pattern: Pattern) -> Layout:
    refuse_dtype(spec.dtype, file.path, spec.name)
    with about(f"{file.path}: tensor {spec.name!r}"):
        layout = Layout(as_axes(axes, len(spec.shape), "weights"))
    warn_of_kernels(TileLayout(spec.shape, layout.axes, pattern.tile_shape))
    return layout


def _slices(
    file: TensorFile, spec: TensorSpec, axes: tuple[int, int], method: Method, most: int
) -> Iterator[Slice]:
    import ml_dtypes  # noqa: F401  # gives NumPy bfloat16 and float8

    size = np.dtype(DTYPES[spec.dtype]).itemsize
    path, offset = str(file.path.absolute()), file.offset(spec.name)
    start, options = (0,) * len(spec.shape), dict(method.options)
    how = (method.pattern, axes, method.name, options, method.repair, method.threads)
    whole = Slice(path, offset, spec.name, spec.dtype, start, spec.shape, True, spec.nbytes, *how)
    if spec.nbytes <= most:
        yield whole
        return
    for start, shape in cut(spec.shape, axes, method.pattern.tile_shape, most // size):
        first = 0
        for index, side in zip(start, spec.shape, strict=True):
            first = first * side + index
        yield replace(
            whole,
            offset=whole.offset + first * size,
            start=start,
            shape=shape,
            whole=shape == spec.shape,
            nbytes=prod(shape) * size,
        )


def fingerprint(shards: list[Shard]) -> str:
    """Return a hash of all that the slices are: where they begin and end."""
    state = WeightsHash()
    for shard in shards:
        for tensor in shard.tensors:
            cuts: Any = [(piece.start, piece.axes) for piece in tensor.slices]
            state.update(repr((shard.name, tensor.source, cuts)).encode())
    return state.text
