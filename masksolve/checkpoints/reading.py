"""Bytes of a file brought into memory: past the system's cache, where that has not got them.

What goes through the cache is copied, and each of its pages has to be found and let go: at
the speed of the engine that is a fifth of all work. The disk can write into a room itself.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.pagecache import drop, is_cached
from masksolve.checkpoints.rooms import Room
from masksolve.errors import naming

__all__ = ["read"]

REQUEST = 1 << 25
"""Bytes that the disk is asked for at once: to be woken seldom is to be in time."""
ALIGNED = 8
"""Bytes: no value of a file is longer, and there begins none that is not aligned."""

Bytes: TypeAlias = NDArray[np.uint8]


def read(path: str, offset: int, nbytes: int, room: Room | None = None) -> Bytes:
    """Read bytes of a file, and leave the system's cache as it was.

    Parameters
    ----------
    path : str
    offset, nbytes : int
    room : Room, optional
        Where to; default: one of its own.

    Returns
    -------
    ndarray of uint8
        Shorter than `nbytes` where the file is.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    room = room or Room(nbytes)
    cached = is_cached(path, offset, nbytes)
    with naming(path, "read"):
        content = None
        if not cached and offset % ALIGNED == 0:
            content = _read_direct(path, offset, nbytes, room)
        if content is None:
            content = _read_buffered(path, offset, nbytes, room)
    if not cached:
        drop(path, offset, nbytes)  # asking may have left a page, whichever way it went
    return content


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


def _read_buffered(path: str, offset: int, nbytes: int, room: Room) -> Bytes:
    content, done = room.bytes[:nbytes], 0
    with open(path, "rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise") and nbytes:  # all of it is wanted, and soon
            os.posix_fadvise(file.fileno(), offset, nbytes, os.POSIX_FADV_WILLNEED)
        file.seek(offset)
        while done < nbytes:
            count = file.readinto(content[done:].data)
            if not count:
                break
            done += count
    return content[:done]
