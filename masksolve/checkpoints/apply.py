"""Weights with the zeros of stored masks: of a file, or of a folder of shards."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from masksolve.checkpoints.folder import Target, refuse_target, write_whole
from masksolve.checkpoints.load import MaskFiles
from masksolve.checkpoints.manifest import file_hash, identity, make_manifest
from masksolve.checkpoints.progress import reporting_bytes
from masksolve.checkpoints.source import MANIFEST, Checkpoint
from masksolve.errors import InvalidInput, naming
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.packing import unpack_run
from masksolve.storage.records import KEY, MaskRecord, describe, read_records
from masksolve.storage.tensors import TensorFile, refuse_dtype, write_tensors
from masksolve.threads import Progress

__all__ = ["apply_masks"]


def apply_masks(
    weights: str | Path,
    masks: str | Path,
    target: str | Path,
    *,
    force: bool = False,
    progress: Progress = False,
) -> dict[str, MaskRecord]:
    """Write weights with zeros where stored masks have them.

    Tensors without a mask are copied. Memory holds the bits of one mask, and pieces of its
    weights.

    Parameters
    ----------
    weights : str or Path
        A safetensors file, or a folder of shards with its index.
    masks : str or Path
        The masks of these weights: a file, or a folder of shards.
    target : str or Path
        A file for a file, which appears whole or not at all; for a folder a new or an
        empty one, which gets a manifest with checksums as well.
    force : bool
        Whether any weights of the masks' shapes will do.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (bytes done, bytes in all).

    Returns
    -------
    dict of str to MaskRecord
        By the names of the weights that were masked.

    Raises
    ------
    FileFormatError
        If a file is missing or damaged, or cannot be written.
    InvalidInput
        If a mask belongs to other weights, or there are none of its name, naming both
        files and the tensor. Nothing is written then.

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
    _compare(checkpoint, stored, force)
    path = Path(target)
    total = sum(spec.nbytes for spec in checkpoint.tensors.values())
    done = 0
    with reporting_bytes(progress, total, 0) as report:

        def advance(count: int, name: str) -> None:
            nonlocal done
            done += count
            report(done, name)

        shards = [_Masked(file.path, stored, force, advance) for file in checkpoint.shards.values()]
        if checkpoint.path.is_dir():
            _write_folder(path, checkpoint, stored, shards, force)
        else:
            refuse_target(path, [checkpoint.path, *(file.path for file in stored.files.values())])
            shards[0].write(path)
    return stored.records


def _compare(checkpoint: Checkpoint, stored: MaskFiles, force: bool) -> None:
    """Refuse what headers alone show to be wrong, before anything is written."""
    if not stored.records:
        raise InvalidInput(f"{stored.path} holds no masks")
    tensors = checkpoint.tensors
    for name, record in stored.records.items():
        where = stored.files[name].path
        if name not in tensors:
            raise InvalidInput(
                f"{checkpoint.path} holds no tensor {name!r}, of which {where} holds a mask"
            )
        spec, path = tensors[name], checkpoint.file(name).path
        refuse_dtype(spec.dtype, path, name)
        if spec.shape != record.shape:
            raise InvalidInput(
                f"{path}: tensor {name!r} has shape {spec.shape}: its mask in {where} has "
                f"{record.shape}"
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


class _Masked(TensorFile):
    """A file of weights whose tensors come out masked.

    Attributes
    ----------
    hashes : dict of str to str
        Of what came out.
    """

    def __init__(
        self, path: Path, masks: MaskFiles, force: bool, report: Callable[[int, str], None]
    ) -> None:
        super().__init__(path)
        self.hashes: dict[str, str] = {}
        self._masks, self._force, self._report = masks, force, report

    def parts(self, name: str) -> Iterator[bytes]:
        """Yield a tensor's bytes, zeros in place of what its mask prunes."""
        record = self._masks.records.get(name)
        parts = super().parts(name) if record is None else self._masked(name, record)
        written = WeightsHash()
        for part in parts:
            written.update(part)
            yield part
            self._report(len(part), name)
        self.hashes[name] = written.text

    def _masked(self, name: str, record: MaskRecord) -> Iterator[bytes]:
        packed = self._masks.read_packed(name)
        size = self.tensors[name].nbytes // max(1, prod(record.shape))
        read, done = WeightsHash(), 0
        for part in super().parts(name):
            read.update(part)
            words = np.frombuffer(part, dtype=f"u{size}")  # zero bits are +0.0
            yield (words * unpack_run(packed, done, words.size)).tobytes()
            done += words.size
        if not self._force and read.text != record.weights:
            raise InvalidInput(
                f"{self.path}: tensor {name!r} is not what its mask in "
                f"{self._masks.files[name].path} belongs to: its hash is {read.text}, that "
                f"of the mask's weights {record.weights}"
            )

    def write(self, path: Path) -> None:
        """Write the whole file, masked."""
        kind, before = read_records(self)
        records = {name: r for name, r in before.items() if kind == "weights"}
        for name, record in self._masks.records.items():
            if name in self.tensors:
                records[name] = replace(record, bits=None)
        longest = {
            name: MaskRecord.longest(r.shape, r.pattern, r.layout, r.method)
            for name, r in records.items()
        }
        with write_tensors(path, list(self.tensors.values()), self._metadata(longest)) as writer:
            for name in self.tensors:
                writer.copy(self, name)
            writer.finish(self._metadata(records))

    def _metadata(self, records: Mapping[str, MaskRecord]) -> dict[str, str]:
        others = {key: text for key, text in self.metadata.items() if key != KEY}
        return others | (describe("weights", records) if records else {})


def _write_folder(
    path: Path, checkpoint: Checkpoint, stored: MaskFiles, shards: Sequence[_Masked], force: bool
) -> None:
    place = Target(path, checkpoint.path)
    if place.finished:  # by these weights, or others that look the same: who knows
        raise InvalidInput(f"output {path} is finished: expected a new or an empty folder")
    claims = WeightsHash()
    claims.update(describe("masks", stored.records)[KEY].encode())
    settings = {
        "kind": "applied",
        "force": force,
        "source": {shard.path.name: identity(shard) for shard in shards},
        "masks": claims.text,
    }
    copied = checkpoint.others()
    if checkpoint.index is not None:
        copied.append(checkpoint.path / checkpoint.index)
    place.check_space(sum(p.stat().st_size for p in [*copied, *(s.path for s in shards)]))
    place.open(settings)
    files: dict[str, Any] = {}
    try:
        with naming(path, "write"):
            for shard in shards:
                output = place.files / shard.path.name
                shard.write(output)
                files[output.name] = {
                    "bytes": output.stat().st_size,
                    "header": file_hash(output, 0, TensorFile(output).start),
                    "tensors": shard.hashes,
                }
            for source in copied:
                output = place.files / source.name
                shutil.copyfile(source, output)
                files[output.name] = {"bytes": output.stat().st_size, "hash": file_hash(output)}
            write_whole(place.files / MANIFEST, make_manifest(settings, files))
            place.publish(list(files))
    except BaseException:
        place.discard()
        raise
