"""What a run is known by, and the files beside the shards: index, manifest, others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from masksolve.checkpoints.folder import Target, write_whole
from masksolve.checkpoints.manifest import file_hash, identity, make_manifest, read_manifest
from masksolve.checkpoints.plan import Method, Shard, Tensor, fingerprint
from masksolve.checkpoints.source import MANIFEST, Checkpoint
from masksolve.checkpoints.work import read_slice
from masksolve.errors import InvalidInput, naming
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.records import MaskRecord, read_records
from masksolve.storage.tensors import TensorFile

__all__ = ["make_settings", "read_all_records", "refuse_changed", "times_modified", "write_rest"]


def make_settings(checkpoint: Checkpoint, shards: Sequence[Shard], how: Method) -> dict[str, Any]:
    """Say what the output depends on."""
    return {
        "kind": shards[0].kind,
        "pattern": str(how.pattern),
        "method": how.name,
        "options": dict(how.options),
        "repair": how.repair,
        "source": {name: identity(file) for name, file in checkpoint.shards.items()},
        "slices": fingerprint(list(shards)),
    }


def times_modified(checkpoint: Checkpoint) -> dict[str, Any]:
    """Say when the files were changed: no manifest should depend on that."""
    return {
        "modified": {name: file.path.stat().st_mtime_ns for name, file in checkpoint.shards.items()}
    }


def refuse_changed(folder: Path, shards: Sequence[Shard]) -> None:
    """Raise if a finished folder was made from other weights than there are now.

    Files that are older than the manifest are taken to be those; of others every tensor is
    read and its hash compared.
    """
    manifest = folder / MANIFEST
    made = manifest.stat().st_mtime_ns
    known, records = read_manifest(folder)["files"], read_all_records(folder, shards)
    for shard in shards:
        if shard.file.path.stat().st_mtime_ns <= made:
            continue
        for tensor in shard.tensors:
            name = tensor.source.name
            expected = (
                records[name].weights if tensor.slices else known[shard.name]["tensors"][name]
            )
            if _hash(shard, tensor) != expected:
                raise InvalidInput(
                    f"{shard.file.path}: tensor {name!r} has changed since {folder} was made: "
                    "expected a new or an empty folder as output"
                )


def _hash(shard: Shard, tensor: Tensor) -> str:
    state = WeightsHash()
    for piece in tensor.slices:
        state.update(read_slice(piece))
    if not tensor.slices:
        for part in shard.file.parts(tensor.source.name):
            state.update(part)
    return state.text


def write_rest(
    place: Target,
    checkpoint: Checkpoint,
    shards: Sequence[Shard],
    others: Sequence[Path],
    files: dict[str, Any],
    settings: Mapping[str, Any],
) -> list[str]:
    """Put what is not tensors beside the shards; return the names of all files in order."""
    if (place.files / MANIFEST).exists():  # all was there, and being moved
        return list(read_manifest(place.files)["files"])
    files = {shard.name: files[shard.name] for shard in shards}
    names = [path.name for path in others]
    with naming(place.path, "write"):
        for path in others:
            shutil.copyfile(path, place.files / path.name)
        if checkpoint.index is not None:
            write_whole(place.files / checkpoint.index, _index(checkpoint, shards))
            names.append(checkpoint.index)
        for name in names:
            path = place.files / name
            files[name] = {"bytes": path.stat().st_size, "hash": file_hash(path)}
        write_whole(place.files / MANIFEST, make_manifest(settings, files))
    return list(files)


def _index(checkpoint: Checkpoint, shards: Sequence[Shard]) -> str:
    """Write the index of the output, in the form of the checkpoint's own."""
    total = sum(tensor.output.nbytes for shard in shards for tensor in shard.tensors)
    masks = shards[0].kind == "masks"
    metadata = {"total_size": total} if masks else checkpoint.metadata
    names = {tensor.output.name: shard.name for shard in shards for tensor in shard.tensors}
    content = {"metadata": metadata, "weight_map": names}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def read_all_records(folder: Path, shards: Sequence[Shard]) -> dict[str, MaskRecord]:
    """Read what the files of a folder say of their masks."""
    return {
        name: record
        for shard in shards
        for name, record in read_records(TensorFile(folder / shard.name))[1].items()
    }
