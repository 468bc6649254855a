"""Weights with the zeros of stored masks: of a file, or of a folder of shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.load import MaskFiles
from masksolve.checkpoints.names import check_names, matches_any
from masksolve.checkpoints.others import Others
from masksolve.checkpoints.plan import plan_applied
from masksolve.checkpoints.rooms import Rooms
from masksolve.checkpoints.run import AHEAD, Job, carry_out
from masksolve.checkpoints.runners import Running
from masksolve.checkpoints.solve import choose_target
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.work import Slice, Solved, begin_reading, know
from masksolve.errors import InvalidInput
from masksolve.quantised import Quantised, recognise
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.masks import read_packed
from masksolve.storage.packing import pack, unpack_run
from masksolve.storage.records import KEY, MaskRecord, describe
from masksolve.storage.tensors import refuse_dtype
from masksolve.threads import Progress

__all__ = ["apply_masks"]

MOST = 1 << 24
"""Bytes of weights that are masked at once."""


def apply_masks(
    weights: str | Path,
    masks: str | Path,
    target: str | Path,
    *,
    force: bool = False,
    tensors: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    progress: Progress = False,
) -> dict[str, MaskRecord]:
    """Write weights with zeros where stored masks have them.

    Tensors without a mask are copied. Memory holds the bits of one mask, and pieces of its
    weights. When a run is interrupted, the same call goes on where it stopped.

    Parameters
    ----------
    weights : str or Path
        A safetensors file, or a folder of shards with its index.
    masks : str or Path
        The masks of these weights: a file, or a folder of shards.
    target : str or Path
        A file for a file, which appears whole or not at all; for a folder a new or an
        empty one, or one with the work of such a run, which gets all else that is in the
        folder and a manifest with checksums.
    force : bool
        Whether any weights of the masks' shapes will do.
    tensors, exclude : sequence of str
        Names, or patterns like ``"model.layers.*.weight"``, of the masks to apply. Default:
        all of them.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (bytes done, bytes in all).

    Returns
    -------
    dict of str to MaskRecord
        By the names of the weights that were masked.

    Raises
    ------
    FileFormatError
        If a file is missing or damaged, or cannot be written: what was done stays, to be
        gone on with.
    InvalidInput
        If a mask belongs to other weights, or there are none of its name, naming both
        files and the tensor; if there is no mask of a name that was asked for; if something
        else is in `target`, or another run at work. Nothing is written then.

    Examples
    --------
    >>> import masksolve as ms, numpy as np, pathlib, tempfile
    >>> from safetensors.numpy import load_file, save_file
    >>> weights = {"layer.weight": np.arange(1, 65, dtype=np.float32).reshape(8, 8)}
    >>> masks = {name: ms.solve(w, "4:8") for name, w in weights.items()}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model, stored, out = (pathlib.Path(folder, name) for name in ("model", "m", "out"))
    ...     save_file(weights, model)
    ...     ms.save_masks(stored, masks, weights)
    ...     found = ms.apply_masks(model, stored, out)
    ...     int(np.count_nonzero(load_file(out)["layer.weight"]))
    32
    """
    checkpoint, stored = Checkpoint.open(weights), MaskFiles.open(masks)
    check_names(stored.path, stored.records, tensors)
    records = {
        name: record
        for name, record in stored.records.items()
        if matches_any(name, tensors or ["*"]) and not matches_any(name, exclude)
    }
    quantised = recognise(checkpoint.path, checkpoint.shards.values())
    codings = quantised.codings
    _compare(checkpoint, stored, records, quantised, force)
    place = choose_target(checkpoint, Path(target), not checkpoint.path.is_dir())
    place.refuse_inputs([stored.path, *(file.path for file in stored.files.values())])
    others = checkpoint.others(leave=place.path) if place.manifested else Others([], [], [])
    files = {} if force else {name: stored.files[name].path for name in records}
    alone = not place.manifested
    shards = plan_applied(checkpoint, records, files, alone=alone, most=MOST, codings=codings)
    claims = WeightsHash()
    claims.update(describe("masks", records)[KEY].encode())
    asked = {"kind": "applied", "force": force, "masks": claims.text}
    runner = partial(_Masks, stored)
    carry_out(
        Job(checkpoint, shards, others, place, asked, lambda watch: runner(), (), AHEAD * MOST),
        progress,
    )
    return records


def _compare(
    checkpoint: Checkpoint,
    stored: MaskFiles,
    records: Mapping[str, MaskRecord],
    quantised: Quantised,
    force: bool,
) -> None:
    """Refuse what headers and masks alone show to be wrong, before anything is written."""
    if not records:
        raise InvalidInput(f"{stored.path} holds no masks" + " to apply" * bool(stored.records))
    tensors = checkpoint.tensors
    for name, record in records.items():
        where = stored.files[name].path
        if name not in tensors:
            raise InvalidInput(
                f"{checkpoint.path} holds no tensor {name!r}, of which {where} holds a mask"
            )
        spec, path = tensors[name], checkpoint.file(name).path
        quantised.refuse(path, name)
        refuse_dtype(spec.dtype, path, name)
        shape = quantised.seen(spec).shape
        if shape != record.shape:
            raise InvalidInput(
                f"{path}: tensor {name!r} has shape {shape}: its mask in {where} has {record.shape}"
            )
        if force:
            continue
        if record.weights is None:
            raise InvalidInput(f"{where}: mask {name!r} does not say which weights it belongs to")
        if record.dtype != spec.dtype:
            raise InvalidInput(
                f"{path}: tensor {name!r} is {spec.dtype}: its mask in {where} belongs to "
                f"{record.dtype} weights"
            )
    for name in records:
        stored.read_packed(name)


class _Masks:
    """Hands out stored masks, with the weights of their slices, as if they were solved."""

    def __init__(self, stored: MaskFiles) -> None:
        self._stored = stored

    def run(self, slices: Iterable[Slice], ahead: int) -> Iterator[Solved]:
        """Read slices and the bits of their masks; see `Runner`."""
        rooms, running = Rooms(ahead), Running()
        name, packed = "", np.empty(0, dtype=np.uint8)
        try:
            for piece in slices:
                if piece.tensor != name:
                    name, packed = piece.tensor, self._read(piece.tensor)
                room = rooms.take(piece.nbytes)
                weights = know(piece, begin_reading(piece, room), running.before(piece))
                bits = self._bits(piece, packed)
                record = self._stored.records[name]
                yield Solved(
                    bits,
                    record.method,
                    record.objective,
                    record.upper_bound,
                    record.status,
                    weights.hash,
                    weights.upto,
                    None,
                    tiles=0,
                    short_tiles=0,
                    seconds=0.0,
                    weights=weights,
                    release=partial(rooms.give, room),
                )
        finally:
            rooms.close()

    def _bits(self, piece: Slice, packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut out of a mask the bits of a contiguous slice."""
        first, count = 0, prod(piece.shape)
        shape = piece.shape if len(piece.shape) == 1 else self._stored.records[piece.tensor].shape
        for index, side in zip(piece.start, shape, strict=True):
            first = first * side + index
        if first % 8:
            return pack(unpack_run(packed, first, count))
        return packed[first // 8 : -(-(first + count) // 8)]

    def _read(self, name: str) -> NDArray[np.uint8]:
        return read_packed(self._stored.files[name], name, self._stored.records[name])
