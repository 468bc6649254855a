"""The system's cache of files, left as a run found it.

A checkpoint is read once. Were all of it to stay in the cache, it would push out what
other programs need, and every page of it would be one that the machine has not touched
for long: where memory is handed out on demand, as on virtual machines, those take several
times as long to fill as to solve. So what was not in memory before leaves it again.
"""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["drop", "is_cached"]


def is_cached(path: str, offset: int, nbytes: int) -> bool:
    """Tell whether bytes of a file are in memory already; where nobody knows, they are.

    The last byte answers for all: the first ones may have been read ahead with those
    before them.
    """
    if not nbytes or not hasattr(os, "RWF_NOWAIT"):
        return True
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # The question alone may have the system fetch what it has not got: no more of it.
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
            os.preadv(file, [bytearray(1)], offset + nbytes - 1, os.RWF_NOWAIT)
        finally:
            os.close(file)
    except BlockingIOError:
        return False
    except OSError:  # a file system without the question, or a file that reading will refuse
        return True
    return True


def drop(path: str, offset: int, nbytes: int) -> None:
    """Let go of bytes that are not needed any more; nobody may have them mapped."""
    if nbytes and hasattr(os, "posix_fadvise"):
        with suppress(OSError), open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), offset, nbytes, os.POSIX_FADV_DONTNEED)
