"""What a run will do, worked out from headers alone: files, tensors, slices, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from masksolve.checkpoints.slices import cut
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.work import Slice
from masksolve.errors import about
from masksolve.inputs import as_axes
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.problem import warn_of_kernels
from masksolve.quantised import BYTES_AT_WORK, Coding
from masksolve.storage.checksums import checksums, sign
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.records import KEY, NO_HASH, MaskRecord, describe, read_records
from masksolve.storage.tensors import TensorFile, TensorSpec, as_dtype, make_header, refuse_dtype
from masksolve.tiles import TileLayout

__all__ = ["Method", "Shard", "Tensor", "fingerprint", "plan_applied", "plan_solved"]


@dataclass(frozen=True)
class Method:
    """How every tensor of a run is solved."""

    pattern: Pattern
    name: str
    options: Mapping[str, float]
    repair: bool
    compare: tuple[str, ...]
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
        To be solved or masked; none: it is copied as it is.
    record : MaskRecord or None
        What is known of its mask without solving anything.
    mask_file : Path or None
        Where a mask comes from that must belong to these very weights; None: any will do.
    coding : Coding or None
        How its codes become weights, if it is quantised.
    """

    source: TensorSpec
    output: TensorSpec
    offset: int
    slices: tuple[Slice, ...] = ()
    record: MaskRecord | None = None
    mask_file: Path | None = None
    coding: Coding | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weights."""
        return self.source.shape if self.coding is None else self.coding.shape


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
    alone : bool
        Whether the file is all there is, and carries its checksums itself.
    """

    name: str
    file: TensorFile
    tensors: tuple[Tensor, ...]
    kind: str
    alone: bool

    @cached_property
    def room(self) -> int:
        """Bytes of its header: it is written last, with what only then is known."""
        longest = {}
        for tensor in self.tensors:
            if tensor.slices:
                record, first = tensor.record, tensor.slices[0]
                layout = Layout(first.axes) if record is None else record.layout
                known = tensor.shape, first.pattern, layout, first.method
                most = MaskRecord.longest(*known)
                if self.kind == "weights":  # their hashes are among the checksums
                    most = replace(most, bits=None)
                longest[tensor.source.name] = most
        hashes = {tensor.source.name: NO_HASH for tensor in self.tensors}
        return -(-len(self._content(longest, hashes)) // 8) * 8

    @property
    def nbytes(self) -> int:
        """Length of the file."""
        return 8 + self.room + sum(tensor.output.nbytes for tensor in self.tensors)

    def header(self, records: Mapping[str, MaskRecord], hashes: Mapping[str, str]) -> bytes:
        """Make the file's first bytes, from records of masks and hashes of all tensors."""
        content = self._content(records, hashes).ljust(self.room)
        header = self.room.to_bytes(8, "little") + content
        return sign(header) if self.alone else header

    def _content(self, records: Mapping[str, MaskRecord], hashes: Mapping[str, str]) -> bytes:
        others: dict[str, str] = {}
        if self.kind == "weights":
            others = {key: text for key, text in self.file.metadata.items() if key != KEY}
            copied = {t.source.name: t.record for t in self.tensors if not t.slices and t.record}
            names = [tensor.source.name for tensor in self.tensors]
            both = copied | dict(records)
            records = {name: both[name] for name in names if name in both}
        own = checksums(records, hashes) if self.alone else None
        ours = describe(self.kind, records, own) if records or self.alone else {}
        return make_header([tensor.output for tensor in self.tensors], others | ours)


def plan_solved(
    checkpoint: Checkpoint,
    chosen: Mapping[str, tuple[int, int]],
    method: Method,
    *,
    apply: bool,
    alone: bool,
    most: int,
    codings: Mapping[str, Coding] = MappingProxyType({}),
) -> list[Shard]:
    """Plan the output files of a run that finds masks.

    Parameters
    ----------
    checkpoint : Checkpoint
    chosen : mapping of str to tuple of int
        The tensors to solve, and the axes of each one's matrix.
    method : Method
    apply : bool
        Whether to write the whole checkpoint with masked weights, rather than masks.
    alone : bool
        Whether the output is a file.
    most : int
        Bytes of the largest slice.
    codings : mapping of str to Coding
        Of the tensors that are quantised.

    Raises
    ------
    FileFormatError, InvalidInput
        Naming the file and the tensor that cannot be solved.
    """
    shards = []
    for name, file in checkpoint.shards.items():
        tensors, before = [], _records_before(file) if apply else {}
        for spec in file.tensors.values():
            if spec.name in chosen:
                coding = codings.get(spec.name)
                shape = spec.shape if coding is None else coding.shape
                layout = _layout(file, spec, shape, chosen[spec.name], method.pattern)
                slices = tuple(_slices(file, spec, layout.axes, method, most, apply, coding))
                output = spec if apply else TensorSpec.packed(spec.name, shape)
                offset = file.offset(spec.name)
                tensors.append(Tensor(spec, output, offset, slices, coding=coding))
            elif apply:
                tensors.append(_copied(file, spec, before))
        if tensors:
            shards.append(Shard(name, file, tuple(tensors), "weights" if apply else "masks", alone))
    return shards


def plan_applied(
    checkpoint: Checkpoint,
    records: Mapping[str, MaskRecord],
    files: Mapping[str, Path],
    *,
    alone: bool,
    most: int,
    codings: Mapping[str, Coding] = MappingProxyType({}),
) -> list[Shard]:
    """Plan the output files of a run that applies masks which are there already.

    Their slices are flat runs of entries: nobody looks at tiles; of quantised weights they are
    whole words of codes. `files` has the masks that must belong to these very weights, and
    where they lie.
    """
    shards = []
    for name, file in checkpoint.shards.items():
        tensors, before = [], _records_before(file)
        for spec in file.tensors.values():
            record = records.get(spec.name)
            if record is None:
                tensors.append(_copied(file, spec, before))
            else:
                coding = codings.get(spec.name)
                slices = tuple(_runs(file, spec, record, most, coding))
                known = replace(record, bits=None), files.get(spec.name), coding
                tensors.append(Tensor(spec, spec, file.offset(spec.name), slices, *known))
        shards.append(Shard(name, file, tuple(tensors), "weights", alone))
    return shards


def _records_before(file: TensorFile) -> dict[str, MaskRecord]:
    kind, records = read_records(file)
    return records if kind == "weights" else {}


def _copied(file: TensorFile, spec: TensorSpec, before: Mapping[str, MaskRecord]) -> Tensor:
    return Tensor(spec, spec, file.offset(spec.name), record=before.get(spec.name))


def _layout(
    file: TensorFile,
    spec: TensorSpec,
    shape: tuple[int, ...],
    axes: tuple[int, int],
    pattern: Pattern,
) -> Layout:
    refuse_dtype(spec.dtype, file.path, spec.name)
    with about(f"{file.path}: tensor {spec.name!r}"):
        layout = Layout(as_axes(axes, len(shape), "weights"))
    warn_of_kernels(TileLayout(shape, layout.axes, pattern.tile_shape))
    return layout


def _slices(
    file: TensorFile,
    spec: TensorSpec,
    axes: tuple[int, int],
    method: Method,
    most: int,
    keep: bool,
    coding: Coding | None,
) -> Iterator[Slice]:
    size, shape = _itemsize(spec), spec.shape
    units: tuple[int, ...] = ()
    if coding is not None:
        size, shape, units = BYTES_AT_WORK, coding.shape, coding.units
    whole = Slice(
        str(file.path.absolute()),
        file.offset(spec.name),
        spec.name,
        spec.dtype,
        (0,) * len(shape),
        shape,
        True,
        spec.nbytes,
        method.pattern,
        axes,
        method.name,
        dict(method.options),
        method.repair,
        method.compare,
        keep,
        method.threads,
        coding,
    )
    for start, part in cut(shape, axes, method.pattern.tile_shape, most // size, units):
        yield _part(whole, start, part)


def _part(whole: Slice, start: tuple[int, ...], shape: tuple[int, ...]) -> Slice:
    """Return a contiguous part of a tensor."""
    if whole.coding is not None:
        offset, nbytes = whole.coding.locate(start, shape)
    else:
        size, offset = as_dtype(whole.dtype).itemsize, 0
        for index, side in zip(start, whole.shape, strict=True):
            offset = offset * side + index
        offset, nbytes = offset * size, prod(shape) * size
    return replace(
        whole,
        offset=whole.offset + offset,
        start=start,
        shape=shape,
        whole=shape == whole.shape,
        nbytes=nbytes,
    )


def _runs(
    file: TensorFile, spec: TensorSpec, record: MaskRecord, most: int, coding: Coding | None
) -> Iterator[Slice]:
    count = prod(spec.shape)
    shape = (count,) if coding is None else coding.shape
    path, offset, start = str(file.path.absolute()), file.offset(spec.name), (0,) * len(shape)
    where = (path, offset, spec.name, spec.dtype, start, shape, True, spec.nbytes)
    how = (record.pattern, record.layout.axes, record.method)
    whole = Slice(*where, *how, keep=True, coding=coding)
    if coding is not None:
        parts = cut(shape, record.layout.axes, (1, 1), most // BYTES_AT_WORK, coding.units)
        yield from (_part(whole, *part) for part in parts)
        return
    step = max(8, most // _itemsize(spec) // 8 * 8)  # masks are cut between bytes
    for first in range(0, max(count, 1), step):
        yield _part(whole, (first,), (min(step, count - first),))


def _itemsize(spec: TensorSpec) -> int:
    return as_dtype(spec.dtype).itemsize


def fingerprint(shards: Sequence[Shard]) -> str:
    """Return a hash of all that the slices are: where they begin and end."""
    state = WeightsHash()
    for shard in shards:
        for tensor in shard.tensors:
            cuts: Any = [(piece.start, piece.axes) for piece in tensor.slices]
            known = () if tensor.coding is None else (tensor.coding,)
            state.update(repr((shard.name, tensor.source, cuts, *known)).encode())
    return state.text
