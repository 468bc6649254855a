"""Finding and reading files of data, plain or compressed by gzip."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from masksolve.errors import FileFormatError

__all__ = ["find", "read"]


def find(folders: Iterable[Path], names: Iterable[str], what: str) -> Path:
    """Return the first of some files that is there, in the first folder that has one.

    Raises
    ------
    FileFormatError
        If there is none, or no folder.
    """
    folders, names = list(folders), list(names)
    if not folders[0].is_dir():
        raise FileFormatError(f"there is no folder {folders[0]}: expected one with {what}")
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise FileFormatError(f"{folders[0]} has no {names[0]}: expected {what}")


def read(path: Path) -> bytes:
    """Read a file, decompressed if its name ends in ``.gz``.

    Raises
    ------
    FileFormatError
        If it cannot be read, or its compressed data is cut off or damaged.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except EOFError as error:
        raise FileFormatError(f"{path} is truncated: its compressed data ends too early") from error
    except (OSError, zlib.error) as error:
        raise FileFormatError(f"cannot read {path}: {error}") from error
