"""What lies beside the tensors of a model in its folder, subfolders and hidden files included."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from masksolve.errors import naming

__all__ = ["Others", "find_others"]

WEIGHTS = frozenset(
    {".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".pt", ".pth", ".safetensors"}
)
"""How the names of files of weights end, in whatever form."""


class Others(NamedTuple):
    """Paths within a folder, relative to it, in order.

    Attributes
    ----------
    files : list of Path
    folders : list of Path
        Those that hold nothing.
    left : list of Path
        What cannot be copied: pipes, sockets, devices, links to nothing or in a circle.
    """

    files: list[Path]
    folders: list[Path]
    left: list[Path]

    @property
    def weights(self) -> list[str]:
        """Names of files that seem to hold weights, of another form or another model."""
        return [path.as_posix() for path in self.files if path.suffix.lower() in WEIGHTS]


def find_others(folder: Path, ours: Collection[str], leave: Path) -> Others:
    """Look through a folder for all but some names in it, and but one folder.

    Links count as what they point to, as a cache of models keeps its files behind them.

    Parameters
    ----------
    folder : Path
    ours : collection of str
        Names in the folder itself.
    leave : Path
        May lie anywhere; it need not exist.

    Raises
    ------
    FileFormatError
        If a folder cannot be read.
    """
    found = Others([], [], [])
    _look(folder, Path(), ours, os.path.realpath(leave), (), found)
    return found


def _look(
    folder: Path,
    name: Path,
    ours: Collection[str],
    leave: str,
    above: tuple[str, ...],
    found: Others,
) -> None:
    """Look through `name` in the folder; `above` are the folders on the way there."""
    with naming(folder / name, "read"):
        entries = sorted(os.listdir(folder / name))
    if not entries:
        found.folders.append(name)
    above = (*above, os.path.realpath(folder / name))
    for entry in entries:
        path = name / entry
        real = os.path.realpath(folder / path)
        if entry in ours or real == leave:
            continue
        try:
            mode = os.stat(folder / path).st_mode
        except OSError:
            mode = 0
        if stat.S_ISREG(mode):
            found.files.append(path)
        elif stat.S_ISDIR(mode) and real not in above:
            _look(folder, path, (), leave, above, found)
        else:
            found.left.append(path)
