"""Bytes of a file brought into memory: past the system's cache, where that has not got them.

What goes through the cache is copied, and each of its pages has to be found and let go: at
the speed of the engine that is a fifth of all work. The disk can write into a room itself.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.pagecache import drop, is_cached
from masksolve.checkpoints.rooms import Room
from masksolve.errors import naming

__all__ = ["Arriving", "read"]

REQUEST = 1 << 25
"""Bytes that the disk is asked for at once: to be woken seldom is to be in time."""
PIECE = 1 << 21
"""Bytes that are handed out at once: the caches hold them meanwhile."""
ALIGNED = 8
"""Bytes: no value of a file is longer, and there begins none that is not aligned."""

Bytes: TypeAlias = NDArray[np.uint8]


class Arriving:
    """Bytes of a file on their way into a room; the system's cache stays as it was.

    Parameters
    ----------
    path : str
    offset, nbytes : int
    room : Room, optional
        Where to; default: one of its own.

    Raises
    ------
    FileFormatError
        By `fetch` and `pieces`, if they cannot be read.
    """

    def __init__(self, path: str, offset: int, nbytes: int, room: Room | None = None) -> None:
        self._place = path, offset, nbytes
        self.room = room or Room(nbytes)
        self._cached = is_cached(path, offset, nbytes)
        self.content: Bytes = self.room.bytes[:0]
        """What is there of them; in the end fewer than asked for where the file is shorter."""
        self._fetched = False

    def fetch(self) -> None:
        """Have the disk write what is in no cache, so that nobody need wait for it later."""
        path, offset, _ = self._place
        if not self._cached and offset % ALIGNED == 0:
            with naming(path, "read"):
                content = _read_direct(*self._place, self.room)
            if content is not None:
                self.content, self._fetched = content, True

    def pieces(self) -> Iterator[Bytes]:
        """Hand out the bytes in order; what lies in the system's cache is copied meanwhile.

        So whoever looks at each piece once finds it in the caches of the processor.
        """
        if self._fetched:
            for start in range(0, self.content.size, PIECE):
                yield self.content[start : start + PIECE]
        else:
            with naming(self._place[0], "read"):
                yield from self._copies()
        if not self._cached:
            drop(*self._place)  # asking may have left a page, whichever way it went

    def _copies(self) -> Iterator[Bytes]:
        path, offset, nbytes = self._place
        room, done, count = self.room.bytes[:nbytes], 0, -1
        with open(path, "rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise") and nbytes:  # all of it is wanted, and soon
                os.posix_fadvise(file.fileno(), offset, nbytes, os.POSIX_FADV_WILLNEED)
            file.seek(offset)
            while done < nbytes and count:
                piece, filled = room[done : done + PIECE], 0
                while filled < piece.size and count:
                    count = file.readinto(piece[filled:].data)
                    filled += count
                done += filled
                self.content = room[:done]
                yield piece[:filled]


def read(path: str, offset: int, nbytes: int, room: Room | None = None) -> Bytes:
    """Read bytes of a file, and leave the system's cache as it was; see `Arriving`.

    Returns
    -------
    ndarray of uint8
        Shorter than `nbytes` where the file is.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    arriving = Arriving(path, offset, nbytes, room)
    arriving.fetch()
    for _ in arriving.pieces():
        pass
    return arriving.content


def _read_direct(path: str, offset: int, nbytes: int, room: Room) -> Bytes | None:
    """Have the disk write into a room, page by page; None where it cannot be asked to."""
    skip = offset % mmap.PAGESIZE
    end, first = skip + nbytes, offset - skip
    wanted = room.bytes[: -(-end // mmap.PAGESIZE) * mmap.PAGESIZE]  # a room may be larger
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    except (OSError, AttributeError):  # whatever it is, the other way tells
        return None
    try:
        content, done = room.bytes[skip:end], 0
        while done < end:
            try:
                count = os.preadv(file, [wanted[done : done + REQUEST].data], first + done)
            except OSError as error:
                if error.errno == errno.EINVAL and not done:
                    return None
                raise
            done += count
            if done < end and (not count or done % mmap.PAGESIZE):  # the file is shorter
                return content[: max(0, done - skip)]
        return content
    finally:
        os.close(file)
