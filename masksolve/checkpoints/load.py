"""Masks in a file or in a folder of shards, read one by one."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.slices import cut
from masksolve.checkpoints.source import Checkpoint
from masksolve.errors import FileFormatError, MaskViolation
from masksolve.storage.masks import read_packed, read_valid_mask, refuse_false
from masksolve.storage.packing import unpack_run
from masksolve.storage.records import MaskRecord, read_records
from masksolve.storage.stored import StoredMask
from masksolve.storage.tensors import TensorFile

__all__ = ["MaskFiles", "load_masks"]

RUN = 1 << 24
"""Entries of a mask that are unpacked at once."""


@dataclass(frozen=True, eq=False)
class MaskFiles:
    """Where the masks of a model lie, and what is known of them.

    Attributes
    ----------
    path : Path
    records : dict of str to MaskRecord
        By the name of the weights, in the order of the files.
    files : dict of str to TensorFile
        Which file holds each one's mask.
    """

    path: Path
    records: dict[str, MaskRecord]
    files: dict[str, TensorFile]

    @classmethod
    def open(cls, path: str | Path) -> MaskFiles:
        """Open a file or a folder, and read its records.

        Raises
        ------
        FileFormatError
            If a file is missing or damaged, or holds no masks of ours.
        """
        checkpoint = Checkpoint.open(path)
        records: dict[str, MaskRecord] = {}
        files: dict[str, TensorFile] = {}
        for file in checkpoint.shards.values():
            kind, found = read_records(file)
            if kind != "masks":
                raise FileFormatError(
                    f"{file.path} holds no masksolve masks: its metadata names none"
                )
            for name, record in found.items():
                if name not in file.tensors:
                    raise FileFormatError(f"{file.path} holds no mask {name!r} of its records")
                records[name], files[name] = record, file
        return cls(checkpoint.path, records, files)

    def read(self, name: str) -> StoredMask:
        """Read a mask and check it against its record."""
        return read_valid_mask(self.files[name], name, self.records[name])

    def read_packed(self, name: str) -> NDArray[np.uint8]:
        """Read the bits of a mask, checked likewise, in little more memory than they take."""
        file, record = self.files[name], self.records[name]
        packed = read_packed(file, name, record)
        layout, (first, *others) = record.layout, record.shape
        if layout.parts > 1:
            first, others = layout.parts, [first // layout.parts, *others]
        start = 0
        for part in cut((first, *others), layout.matrix_axes, record.pattern.tile_shape, RUN):
            bits = unpack_run(packed, start, prod(part.shape)).reshape(part.shape)
            start += bits.size
            try:
                refuse_false(bits, layout.matrix_axes, record)
            except MaskViolation:
                self.read(name)  # says where in the whole
                raise
        return packed


def load_masks(path: str | Path) -> dict[str, StoredMask]:
    """Read every mask that `save_masks` or ``masksolve solve`` wrote.

    Parameters
    ----------
    path : str or Path
        A file, or a folder of shards.

    Returns
    -------
    dict of str to StoredMask
        By the name of the weights.

    Raises
    ------
    FileFormatError
        If a file is missing, damaged, or holds no masks of ours; if a mask does not obey
        the pattern that its record names.
    """
    files = MaskFiles.open(path)
    return {name: files.read(name) for name in files.records}
