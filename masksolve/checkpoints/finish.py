"""The files beside the shards: index, manifest, whatever else belongs to the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from masksolve.checkpoints.figures import Figures
from masksolve.checkpoints.manifest import file_hash, make_manifest, read_manifest
from masksolve.checkpoints.others import Others
from masksolve.checkpoints.plan import Shard
from masksolve.checkpoints.source import MANIFEST, Checkpoint
from masksolve.checkpoints.target import Target
from masksolve.errors import naming
from masksolve.storage.records import MaskRecord, read_records
from masksolve.storage.tensors import TensorFile

__all__ = ["read_all_records", "write_rest"]


def write_rest(
    place: Target,
    checkpoint: Checkpoint,
    shards: Sequence[Shard],
    others: Others,
    files: Mapping[str, Any],
    settings: Mapping[str, Any],
    figures: Mapping[str, Figures],
) -> dict[str, Any]:
    """Put what is not tensors beside the shards; return all files in the order to move them.

    Returns
    -------
    dict
        Size and checksums of each, by its name.
    """
    if (place.files / MANIFEST).exists():  # all was there, and being moved
        return dict(read_manifest(place.files)["files"])
    files = dict(files)
    names = [path.as_posix() for path in others.files]
    with naming(place.path, "write"):
        for path in others.files:
            (place.files / path).parent.mkdir(parents=True, exist_ok=True)
            _copy(checkpoint.path / path, place.files / path)
        if checkpoint.index is not None:
            if shards[0].kind == "masks":
                place.write(place.files / checkpoint.index, _index(shards))
            else:
                _copy(checkpoint.path / checkpoint.index, place.files / checkpoint.index)
            names.append(checkpoint.index)
        for name in names:
            path = place.files / name
            files[name] = {"bytes": path.stat().st_size, "hash": file_hash(path)}
        inputs = {name: stamp.to_json() for name, stamp in checkpoint.stamps.items()}
        known = {name: found.to_json() for name, found in figures.items()}
        content = make_manifest(settings, inputs, files, known)
        place.write(place.files / MANIFEST, content)
    return files


def _copy(source: Path, target: Path) -> None:
    with naming(source, "read"), source.open("rb"):
        pass  # which of the two is at fault if it cannot be copied
    shutil.copyfile(source, target)


def _index(shards: Sequence[Shard]) -> str:
    """Write the index of masks, in the form of a checkpoint's."""
    total = sum(tensor.output.nbytes for shard in shards for tensor in shard.tensors)
    names = {tensor.output.name: shard.name for shard in shards for tensor in shard.tensors}
    content = {"metadata": {"total_size": total}, "weight_map": names}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def read_all_records(place: Target, shards: Sequence[Shard]) -> dict[str, MaskRecord]:
    """Read what the files of an output say of the masks that were to be found."""
    wanted = {tensor.source.name for shard in shards for tensor in shard.tensors if tensor.slices}
    return {
        name: record
        for shard in shards
        for name, record in read_records(TensorFile(place.place(shard.name)))[1].items()
        if name in wanted
    }
