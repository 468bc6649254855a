"""Checkpoints as they lie: one safetensors file, or a folder of shards with an index."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masksolve.checkpoints.others import Others, find_others
from masksolve.checkpoints.stamp import Stamp
from masksolve.errors import FileFormatError, naming
from masksolve.storage.tensors import TensorFile, TensorSpec

__all__ = ["Checkpoint"]

MANIFEST = "masksolve.json"
WORK = ".masksolve-work"
INDEX = ".safetensors.index.json"
VARIANT = re.compile(r"\.safetensors\.index\.[^.]+\.json$")
"""End of the index of a variant, such as fp16, that may lie beside the usual one or alone."""
SINGLE = "model.safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of a model, in one file or in many.

    Attributes
    ----------
    path : Path
        The file or the folder.
    shards : dict of str to TensorFile
        By the names of the files, in their order.
    index : str or None
        Name of the index in the folder.
    metadata : dict
        That of the index.
    stamps : dict of str to Stamp
        What each file was known by before any of it was read.
    """

    path: Path
    shards: dict[str, TensorFile]
    index: str | None
    metadata: dict[str, Any]
    stamps: dict[str, Stamp]

    @classmethod
    def open(cls, path: str | Path) -> Checkpoint:
        """Open a safetensors file or a folder, and check that all tensors are there.

        Raises
        ------
        FileFormatError
            If a file is missing, truncated or damaged; if the index disagrees with the
            shards.
        """
        path = Path(path)
        if not os.path.isdir(path):  # a name too long is none
            return cls._of(path, {path.name: path}, None, {})
        name = _find(path)
        if name.endswith(".safetensors"):
            return cls._of(path, {name: path / name}, None, {})
        names, metadata = _read_index(path / name)
        for shard in set(names.values()):
            if shard in (name, MANIFEST, WORK):
                raise FileFormatError(f"{path / name}: no shard can be named {shard}")
            _refuse_missing(path / shard, name)
        files = {shard: path / shard for shard in sorted(set(names.values()))}
        found = cls._of(path, files, name, metadata)
        _compare(path, name, names, found.shards)
        return found

    @classmethod
    def _of(
        cls, path: Path, files: Mapping[str, Path], index: str | None, metadata: dict[str, Any]
    ) -> Checkpoint:
        stamps = {name: Stamp.of(file) for name, file in files.items()}
        shards = {name: TensorFile(file) for name, file in files.items()}
        return cls(path, shards, index, metadata, stamps)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """Every tensor by its name, shard after shard."""
        return {name: spec for file in self.shards.values() for name, spec in file.tensors.items()}

    def file(self, tensor: str) -> TensorFile:
        """Return the shard that holds a tensor."""
        for file in self.shards.values():
            if tensor in file.tensors:
                return file
        raise FileFormatError(f"{self.path} holds no tensor {tensor!r}")

    def others(self, leave: Path) -> Others:
        """Return what else lies in the folder: configuration, tokenizer, parts of the model.

        Parameters
        ----------
        leave : Path
            A folder that may lie in it and does not belong to it.

        Raises
        ------
        FileFormatError
            If a folder cannot be read.
        """
        if not self.path.is_dir():
            return Others([], [], [])
        ours = {*self.shards, MANIFEST, WORK} | ({self.index} if self.index else set())
        return find_others(self.path, ours, leave)


def _find(folder: Path) -> str:
    """Choose the index of a folder, else its only file of tensors."""
    with naming(folder, "read"):
        names = sorted(entry.name for entry in folder.iterdir())
    indices = [name for name in names if name.endswith(INDEX) and name != INDEX]
    files = [name for name in names if Path(name).suffix == ".safetensors"]
    variants = [name for name in names if VARIANT.search(name) and SINGLE not in names]
    for kind, found, usual in (
        (f"*{INDEX}", indices, f"model{INDEX}"),
        ("*.safetensors.index.*.json", variants, f"model{INDEX}"),
        ("*.safetensors", files, SINGLE),
    ):
        if len(found) == 1 or usual in found:
            return usual if usual in found else found[0]
        if found:
            raise FileFormatError(
                f"{folder} holds {len(found)} files {kind}, such as {found[0]} and "
                f"{found[1]}: expected one, or {usual}"
            )
    raise FileFormatError(f"{folder} holds no safetensors file")


def _read_index(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        with naming(path, "read"):
            content = json.loads(path.read_bytes())
        names, metadata = content["weight_map"], content.get("metadata") or {}
        fine = isinstance(names, dict) and names and isinstance(metadata, dict)
        for name in names.values() if fine else ():
            fine = fine and isinstance(name, str) and name == Path("x", name).name
    except FileFormatError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fine = False
    if not fine:
        raise FileFormatError(
            f"{path} is not an index of shards: expected a weight_map of tensors to the names "
            "of files beside it"
        )
    return names, metadata


def _refuse_missing(path: Path, index: str) -> None:
    with naming(path, "read"):
        if not path.exists():
            raise FileFormatError(f"{path} is missing: {index} names it")


def _compare(
    folder: Path, index: str, names: Mapping[str, str], shards: Mapping[str, TensorFile]
) -> None:
    for name, shard in names.items():
        if name not in shards[shard].tensors:
            raise FileFormatError(
                f"{folder / shard} holds no tensor {name!r}, which {index} says it does"
            )
    for shard, file in shards.items():
        for name in file.tensors:
            if names.get(name) != shard:
                said = f"says it lies in {names[name]}" if name in names else "does not name it"
                raise FileFormatError(f"{folder / shard} holds a tensor {name!r}: {index} {said}")
