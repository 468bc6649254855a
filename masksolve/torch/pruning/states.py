"""Hidden states between two blocks, batch by batch: in files, and in memory where they fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from masksolve.errors import FileFormatError, naming

__all__ = ["States"]


class States:
    """What one block gives and the next takes, of one or two streams.

    All of it is written, so that a run that is cut short goes on from there.

    Parameters
    ----------
    folder : Path
        Made anew.
    room : int
        Bytes that may stay in memory.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder
        self._room = room
        self._held: dict[tuple[str, int], Tensor] = {}

    def clear(self) -> None:
        """Begin anew."""
        with naming(self._folder, "write"):
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
        self._held.clear()

    def put(self, stream: str, batch: int, states: Tensor) -> None:
        """Take the hidden states of a batch in a stream."""
        array = states.cpu().contiguous().numpy()
        with naming(self._folder, "write"):
            np.save(self._path(stream, batch), array)
        if array.nbytes <= self._room:
            self._room -= array.nbytes
            self._held[stream, batch] = states.cpu()

    def get(self, stream: str, batch: int) -> Tensor:
        """Give back what was put.

        Raises
        ------
        FileFormatError
            If it is not there any more.
        """
        held = self._held.get((stream, batch))
        if held is not None:
            return held
        path = self._path(stream, batch)
        try:
            with naming(path, "read"):
                return torch.from_numpy(np.load(path))
        except (ValueError, EOFError):
            raise FileFormatError(f"{path} is damaged: remove {self._folder.parent}") from None

    def remove(self) -> None:
        """Let go of all of it."""
        self._held.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, stream: str, batch: int) -> Path:
        return self._folder / f"{stream}-{batch:05d}.npy"
