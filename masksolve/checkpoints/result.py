"""What comes of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from pathlib import Path

from masksolve.checkpoints.figures import Figures
from masksolve.checkpoints.others import Others
from masksolve.checkpoints.selection import Choice
from masksolve.result import Status
from masksolve.storage.records import MaskRecord

__all__ = ["CheckpointResult"]


@dataclass(frozen=True)
class CheckpointResult:
    """What is known of the masks of a checkpoint.

    Attributes
    ----------
    path : Path
        The folder with the files.
    records : dict of str to MaskRecord
        By the names of the tensors that were solved.
    nbytes : int
        Bytes of the checkpoint that this run has worked through, without those of an
        earlier one that was interrupted.
    seconds : float
        That it took.
    figures : mapping of str to Figures
        What else is known of each tensor, by name; nothing of a folder that a build before
        finished.
    others : Others
        What else of the folder was copied.
    choice : Choice
        Why these tensors and no others.
    """

    path: Path
    records: dict[str, MaskRecord]
    nbytes: int
    seconds: float
    figures: Mapping[str, Figures]
    others: Others
    choice: Choice

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Name of each tensor that gets no mask, and why."""
        return self.choice.skipped

    @property
    def masked_share(self) -> float:
        """Weights that have masks among all floats of the checkpoint."""
        return self.choice.share

    @property
    def objective(self) -> float:
        """Kept score of all tensors."""
        return fsum(record.objective for record in self.records.values())

    @property
    def upper_bound(self) -> float | None:
        """Proven bound on it; None where one tensor has none."""
        bounds = [record.upper_bound for record in self.records.values()]
        return None if None in bounds else fsum(bound for bound in bounds if bound is not None)

    @property
    def status(self) -> Status:
        """The worst status of any tensor."""
        return Status.worst(record.status for record in self.records.values())
