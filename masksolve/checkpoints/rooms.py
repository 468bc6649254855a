"""Memory for weights, the same again and again.

Memory that was just used is faster than any that the system would have to find, and a
limit on it is one on the whole run.
"""

from __future__ import annotations

import mmap
from threading import Condition

import numpy as np
from numpy.typing import NDArray

__all__ = ["Closed", "Room", "Rooms"]


class Closed(Exception):
    """Nobody wants what the room was for."""


class Room:
    """Whole pages to read into.

    Parameters
    ----------
    nbytes : int
        That have room wherever in the first page they begin.
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        size = (nbytes // mmap.PAGESIZE + 2) * mmap.PAGESIZE
        if hasattr(mmap, "MADV_HUGEPAGE"):  # of which private memory alone is made
            memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            memory.madvise(mmap.MADV_HUGEPAGE)
            # A process that is forked would take pages away that the disk still writes to.
            memory.madvise(mmap.MADV_DONTFORK)
        else:
            memory = mmap.mmap(-1, size)
        self.bytes: NDArray[np.uint8] = np.frombuffer(memory, dtype=np.uint8)


class Rooms:
    """Hands out rooms, and waits for some to be given back where there are too many.

    Parameters
    ----------
    ahead : int
        Bytes that may be held besides the oldest room.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._held: dict[Room, int] = {}  # in the order in which they were taken
        self._free: list[Room] = []
        self._change = Condition()
        self._closed = False

    def take(self, nbytes: int) -> Room:
        """Return a room of so many bytes or more, as soon as there may be one.

        Raises
        ------
        Closed
            If it was closed.
        """
        with self._change:
            self._change.wait_for(lambda: self._closed or self._may_hold(nbytes))
            if self._closed:
                raise Closed
            fit = min(
                (room for room in self._free if room.nbytes >= nbytes),
                key=lambda room: room.nbytes,
                default=None,
            )
            if fit is None:
                self._free.clear()  # too small: no memory for them and the new one
                fit = Room(nbytes)
            else:
                self._free.remove(fit)
            self._held[fit] = nbytes
            return fit

    def _may_hold(self, nbytes: int) -> bool:
        return not self._held or sum([*self._held.values()][1:]) + nbytes <= self._ahead

    def give(self, room: Room) -> None:
        """Take a room back; nobody may use it any more."""
        with self._change:
            del self._held[room]
            self._free.append(room)
            self._change.notify_all()

    def close(self) -> None:
        """Let nobody wait."""
        with self._change:
            self._closed = True
            self._change.notify_all()
