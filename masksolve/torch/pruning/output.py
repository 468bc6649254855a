"""The pruned folder: every file as it was, with the tensors of the blocks that are done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from masksolve.checkpoints.plan import Shard, Tensor
from masksolve.checkpoints.run import Job, carry_out
from masksolve.checkpoints.runners import LocalRunner
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.target import FolderTarget
from masksolve.errors import naming
from masksolve.storage.atomic import whole_file
from masksolve.storage.records import MaskRecord, describe
from masksolve.storage.tensors import TensorFile, TensorSpec, write_tensors
from masksolve.torch.pruning.picture import draw
from masksolve.torch.pruning.report import PruneReport
from masksolve.torch.pruning.work import BlockFile

__all__ = ["BESIDE", "MASKS", "REPORT", "write_folder", "write_report"]

BESIDE = "masksolve"
"""Folder for masks and report: whoever reads weights looks into no folder."""
MASKS = "masks.safetensors"
REPORT = "report.json"
PICTURE = "report.png"


class _Replaced(TensorFile):
    """A file of a checkpoint, with other bytes for some of its tensors."""

    def __init__(self, path: Path, new: Mapping[str, TensorFile]) -> None:
        super().__init__(path)
        self._new = new

    def parts(self, name: str) -> Iterator[bytes]:
        """Read one tensor's bytes piece by piece."""
        if name in self._new:
            yield from self._new[name].parts(name)
        else:
            yield from super().parts(name)


def write_folder(
    checkpoint: Checkpoint, blocks: Sequence[BlockFile], made: Path, settings: Mapping[str, Any]
) -> None:
    """Write all of the output but the report; what an earlier run has written of it stays.

    Parameters
    ----------
    checkpoint : Checkpoint
    blocks : sequence of BlockFile
    made : Path
        The folder.
    settings : mapping
        For the manifest.
    """
    new = {name: block.file for block in blocks for name in block.names}
    records = {name: record for block in blocks for name, record in block.records.items()}
    shards = [_shard(name, file, new, records) for name, file in checkpoint.shards.items()]
    with naming(made, "write"):
        made.mkdir(exist_ok=True)
    place = FolderTarget(made, [checkpoint.path])
    others = checkpoint.others(leave=made)
    asked = {"kind": "pruned", **settings}
    job = Job(checkpoint, shards, others, place, asked, LocalRunner, (), 0)  # all is copied
    carry_out(job, False)
    beside = made / BESIDE
    with naming(beside, "write"):
        beside.mkdir(exist_ok=True)
    _write_masks(beside / MASKS, blocks)


def write_report(made: Path, report: PruneReport) -> None:
    """Write the report beside the masks, and draw it where that can be done."""
    if find_spec("matplotlib") is None:
        report.warnings.append("the report is not drawn: matplotlib is not installed")
    else:
        draw(report.blocks, made / BESIDE / PICTURE, report.title)
    content = (json.dumps(report.to_dict(), indent=2) + "\n").encode()
    with whole_file(made / BESIDE / REPORT, len(content)) as file:
        file.write(content)


def _shard(
    name: str, file: TensorFile, new: Mapping[str, TensorFile], records: Mapping[str, MaskRecord]
) -> Shard:
    tensors = tuple(
        Tensor(spec, spec, file.offset(spec.name), record=_without_bits(records.get(spec.name)))
        for spec in file.tensors.values()
    )
    own = {spec.name: new[spec.name] for spec in file.tensors.values() if spec.name in new}
    return Shard(name, _Replaced(file.path, own), tensors, "weights", alone=False)


def _without_bits(record: MaskRecord | None) -> MaskRecord | None:
    return None if record is None else replace(record, bits=None)


def _write_masks(path: Path, blocks: Sequence[BlockFile]) -> None:
    specs = [
        TensorSpec.packed(name, record.shape)
        for block in blocks
        for name, record in block.records.items()
    ]
    records = {name: record for block in blocks for name, record in block.records.items()}
    metadata = describe("masks", records)
    with write_tensors(path, specs, metadata) as writer:
        for block in blocks:
            for name in block.records:
                writer.write(block.bits(name))
        writer.finish(metadata)
