"""One run at a time: a lock that goes with the process that holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from masksolve.errors import InvalidInput, naming

__all__ = ["lock"]


@contextmanager
def lock(path: Path, place: Path) -> Iterator[None]:
    """Hold a file while the block runs; it is created, with its folder, if need be.

    Whoever holds it may remove it: others notice, and make another.

    Raises
    ------
    InvalidInput
        If another process holds it, naming the `place` that it works on.
    FileFormatError
        If it cannot be created.
    """
    while True:
        with naming(path, "write"):
            try:
                path.parent.mkdir(parents=True)
            except FileExistsError:
                if os.path.lexists(path.parent) and not path.parent.is_dir():
                    raise
            try:
                file = path.open("ab")
            except FileNotFoundError:  # the folder went as another run ended
                continue
        with file:
            _take(file, place)
            if _still_there(file, path):
                yield
                return


def _take(file: IO[bytes], place: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: trust that nobody starts two runs at once
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InvalidInput(f"another run is at work in {place}: wait for it to end") from None
    except OSError:
        return  # a file system without locks


def _still_there(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
