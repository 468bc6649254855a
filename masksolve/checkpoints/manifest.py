"""The manifest of a finished folder: what was asked for, and a checksum of every byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from masksolve.checkpoints.source import MANIFEST
from masksolve.errors import FileFormatError, naming
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.tensors import TensorFile

__all__ = ["file_hash", "identity", "make_manifest", "read_manifest", "verify_checkpoint"]

VERSION = 1
PIECE = 1 << 22


def make_manifest(settings: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    """Return the manifest's text; it says nothing that differs between two equal runs."""
    content = {"version": VERSION, "settings": dict(settings), "files": dict(files)}
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
        fine = fine and all(isinstance(entry, dict) for entry in content["files"].values())
    except FileFormatError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
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


def verify_checkpoint(folder: str | Path) -> int:
    """Compare every file that `solve_checkpoint` wrote with its checksum.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    int
        How many bytes were compared.

    Raises
    ------
    FileFormatError
        Naming the first file, and the tensor, that is not as it was written.
    """
    folder = Path(folder)
    total = 0
    for name, entry in read_manifest(folder)["files"].items():
        path = folder / name
        try:
            with naming(path, "read"):
                _verify(path, entry)
        except (KeyError, TypeError, AttributeError):
            path = folder / MANIFEST
            raise FileFormatError(f"{path}: the entry of {name} is damaged") from None
        total += entry["bytes"]
    return total


def _verify(path: Path, entry: Mapping[str, Any]) -> None:
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise FileFormatError(f"{path} has {size} bytes: its manifest says {entry['bytes']}")
    for part, found, expected in _parts(path, entry):
        if found != expected:
            raise FileFormatError(
                f"{path}{part} is not as it was written: its hash is {found}, "
                f"the manifest says {expected}"
            )


def _parts(path: Path, entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield a part's name, its hash and the hash on record."""
    if "hash" in entry:
        yield "", file_hash(path), entry["hash"]
        return
    file = TensorFile(path)
    yield ": its header", file_hash(path, 0, file.start), entry["header"]
    for name, spec in file.tensors.items():
        found = file_hash(path, file.offset(name), spec.nbytes)
        yield f": tensor {name!r}", found, entry["tensors"][name]
