"""Runs that are interrupted go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from masksolve.errors import InvalidInput

__all__ = ["Checkpoint"]


class Checkpoint:
    """The last epoch of a run, in a file.

    Parameters
    ----------
    path : Path
    **parts
        What has a ``state_dict`` and can load it: a network, an optimizer, a schedule.
    """

    def __init__(self, path: Path, **parts: Any) -> None:
        self._path, self._parts = path, parts

    def load(self, device: str) -> int:
        """Put everything back as it was, and return how many epochs are done.

        Raises
        ------
        InvalidInput
            If the file is damaged, or of a run with other options.
        """
        if not self._path.exists():
            return 0
        try:
            held = torch.load(self._path, map_location=device, weights_only=True)
            for name, part in self._parts.items():
                part.load_state_dict(held[name])
            torch.set_rng_state(held["random"].cpu())
            return int(held["epoch"])
        except Exception as error:  # a damaged file may raise anything
            raise InvalidInput(
                f"cannot go on from {self._path}: expected a checkpoint of the same options; "
                "remove it, or name another --out"
            ) from error

    def save(self, epoch: int) -> None:
        """Keep an epoch; cut off while it writes, the one before is still there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        half = self._path.with_suffix(".half")
        states = {name: part.state_dict() for name, part in self._parts.items()}
        torch.save({**states, "random": torch.get_rng_state(), "epoch": epoch}, half)
        half.replace(self._path)
