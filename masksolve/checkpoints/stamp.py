"""What a file is known by without reading it, and where that proves nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from masksolve.errors import naming

__all__ = ["Stamp"]

SECOND = 1_000_000_000
TICK = SECOND // 50
"""Nanoseconds after a change within which another may leave the same time: systems keep
it by ticks of their clock, of 10 milliseconds at most."""
COARSE = 2 * SECOND
"""The same, of file systems that keep whole seconds."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file's size, its number in the file system, and when it was changed.

    Attributes
    ----------
    size : int
        Bytes.
    inode : int
    modified, changed : int
        Nanoseconds since 1970: of its content, which programs may set back, and of
        anything about it, which they may not.
    settled : bool
        Whether whatever changes it after this look will show. Not so where the time comes
        from another clock, which is ahead, or from one of whole seconds that may not have
        gone on yet.
    """

    size: int
    inode: int
    modified: int
    changed: int
    settled: bool = field(default=True, compare=False)

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Look at a file.

        One that was changed just now is looked at a moment later, so that whatever
        changes it afterwards shows.

        Raises
        ------
        FileFormatError
            If it is not there.
        """
        with naming(path, "read"):
            found = os.stat(path)
            if 0 <= time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < TICK:
                time.sleep(TICK / SECOND)
                found = os.stat(path)
        now, modified = time.time_ns(), found.st_mtime_ns
        settled = modified <= now and (modified % SECOND != 0 or now - modified >= COARSE)
        return cls(found.st_size, found.st_ino, modified, found.st_ctime_ns, settled)

    @classmethod
    def read(cls, held: Any) -> Stamp | None:
        """Read what `to_json` wrote; None if it is nothing of the kind."""
        try:
            found = cls(**held)
        except TypeError:
            return None
        return found if all(isinstance(value, int) for value in asdict(found).values()) else None

    def to_json(self) -> Mapping[str, int]:
        """Return it in a form that JSON holds."""
        return asdict(self)

    def differs(self, other: Stamp) -> bool:
        """Tell whether the two cannot be of the same content."""
        mine = self.size, self.inode, self.modified
        return mine != (other.size, other.inode, other.modified)

    def proves(self, later: Stamp) -> bool:
        """Tell whether a later look at the file shows that nothing has changed."""
        return self.settled and self == later
