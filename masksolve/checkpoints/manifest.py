"""The manifest of a finished folder: what was asked for, and a checksum of every byte."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from masksolve.checkpoints.source import MANIFEST
from masksolve.errors import FileFormatError, naming
from masksolve.storage.checksums import own_hash, read_checksums
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.records import read_records
from masksolve.storage.tensors import TensorFile

__all__ = [
    "file_hash",
    "identity",
    "is_as_written",
    "make_manifest",
    "read_manifest",
    "verify_checkpoint",
]

VERSION = 1
PIECE = 1 << 22


def make_manifest(
    settings: Mapping[str, Any],
    inputs: Mapping[str, Any],
    files: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> str:
    """Return the manifest's text; two equal runs on the same files write the same.

    Parameters
    ----------
    settings : mapping
        What was asked for.
    inputs : mapping
        What each file of weights was known by: see `Stamp`.
    files : mapping
        Size and checksums of every file, by its name.
    figures : mapping
        By the names of tensors: what records do not hold.
    """
    content = {
        "version": VERSION,
        "settings": dict(settings),
        "inputs": dict(inputs),
        "files": dict(files),
        "figures": dict(figures),
    }
    return json.dumps(content, indent=2) + "\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a finished folder.

    Raises
    ------
    FileFormatError
        If it is missing or damaged.
    """
    path = folder / MANIFEST
    try:
        with naming(path, "read"):
            content = json.loads(path.read_bytes())
        fine = content["version"] == VERSION
        fine = fine and isinstance(content["settings"], dict)
        for part in (content["files"], content.get("inputs", {}), content.get("figures", {})):
            fine = fine and all(isinstance(entry, dict) for entry in part.values())
    except FileFormatError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fine = False
    if not fine:
        raise FileFormatError(f"{path} is not a manifest of masksolve, version {VERSION}")
    found: dict[str, Any] = content
    return found


def file_hash(path: Path, start: int = 0, nbytes: int | None = None) -> str:
    """Return the hash of a file, or of a run of its bytes."""
    state = WeightsHash()
    with naming(path, "read"), path.open("rb") as file:
        file.seek(start)
        left = path.stat().st_size - start if nbytes is None else nbytes
        while left > 0 and (part := file.read(min(PIECE, left))):
            state.update(part)
            left -= len(part)
    return state.text


def identity(file: TensorFile) -> list[Any]:
    """Return what a file is known by without reading all of it: its size, its header's hash."""
    return [file.path.stat().st_size, file_hash(file.path, 0, file.start)]


def verify_checkpoint(path: str | Path) -> int:
    """Compare all that `solve_checkpoint` or `apply_masks` wrote with its checksums.

    Parameters
    ----------
    path : str or Path
        A folder, by its manifest, or a file, by the checksums in its metadata.

    Returns
    -------
    int
        How many bytes were compared.

    Raises
    ------
    FileFormatError
        Naming the first file, and the tensor, that is not as it was written; if there are
        no checksums.
    """
    path = Path(path)
    if not os.path.isdir(path):  # a name too long is none
        file = TensorFile(path)
        _compare(path, _own_parts(file), "its metadata says")
        return path.stat().st_size
    total = 0
    for name, entry in read_manifest(path)["files"].items():
        try:
            with naming(path / name, "read"):
                _verify(path / name, entry)
        except (KeyError, TypeError, AttributeError):
            raise FileFormatError(f"{path / MANIFEST}: the entry of {name} is damaged") from None
        total += entry["bytes"]
    return total


def is_as_written(path: Path, entry: Mapping[str, Any]) -> bool:
    """Tell whether a file has the size and the checksums on record."""
    try:
        _verify(path, entry)
    except (FileFormatError, KeyError):
        return False
    return True


def _verify(path: Path, entry: Mapping[str, Any]) -> None:
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise FileFormatError(f"{path} has {size} bytes: its manifest says {entry['bytes']}")
    _compare(path, _parts(path, entry), "the manifest says")


def _compare(path: Path, parts: Iterable[tuple[str, str, str]], whose: str) -> None:
    """Compare hashes: of each part its name, the one found and the one on record."""
    for part, found, expected in parts:
        if found != expected:
            raise FileFormatError(
                f"{path}{part} is not as it was written: its hash is {found}, {whose} {expected}"
            )


def _parts(path: Path, entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "hash" in entry:
        yield "", file_hash(path), entry["hash"]
        return
    file = TensorFile(path)
    yield ": its header", file_hash(path, 0, file.start), entry["header"]
    for name, spec in file.tensors.items():
        found = file_hash(path, file.offset(name), spec.nbytes)
        yield f": tensor {name!r}", found, entry["tensors"][name]


def _own_parts(file: TensorFile) -> Iterator[tuple[str, str, str]]:
    records, claims = read_records(file)[1], read_checksums(file)
    with naming(file.path, "read"), file.path.open("rb") as content:
        header = content.read(file.start)
    yield ": its header", own_hash(header, claims["header"]), claims["header"]
    for name, spec in file.tensors.items():
        on_record = records[name].bits if name in records else None
        expected = on_record or claims["tensors"].get(name, "missing")
        yield f": tensor {name!r}", file_hash(file.path, file.offset(name), spec.nbytes), expected
