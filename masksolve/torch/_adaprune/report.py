"""What AdaPrune did to a model, as a table and as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from masksolve.torch.tables import as_table, lines_on_dense

__all__ = ["AdaPruned", "LayerReport"]


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What became of a weight.

    Errors are the sum of (dense output - new output)^2 over the calibration rows, divided by
    that of the dense outputs' squares without biases.
    """

    name: str
    shape: tuple[int, ...]
    pattern: str
    density: float
    """Share of entries that are kept."""
    rows: int
    """How many rows of inputs it was fitted to."""
    one_shot: float
    """Error of the dense weight under its first mask."""
    absorbed: float
    """The same with the mean of what is pruned taken in."""
    error: float
    """Error of the weight that it got."""
    moved: float
    """Share of the mask's entries that changed after the first mask."""
    seconds: float
    """Spent on it, passes through the model apart."""


@dataclass(frozen=True, slots=True)
class AdaPruned:
    """What `adaprune` did; printing it gives a table.

    Attributes
    ----------
    layers : list of LayerReport
        In the order in which the model runs them.
    masks : dict of str to Tensor of bool
        By the names of the weights, True = kept.
    skipped : list of (str, str)
        Parameters of two or more dimensions that were left dense, and why.
    batches : int
    seconds : float
        In all.
    masked_share : float
        Of all parameters of the model: how many have a mask, kept or not.
    """

    layers: list[LayerReport]
    masks: dict[str, Tensor]
    skipped: list[tuple[str, str]]
    batches: int
    seconds: float
    masked_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report, without masks, as dicts, lists and numbers."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "skipped": [list(pair) for pair in self.skipped],
            "batches": self.batches,
            "seconds": self.seconds,
            "masked_share": self.masked_share,
        }

    def __str__(self) -> str:
        table = as_table(
            ("weight", "shape", "pattern"),
            ("density", "rows", "error: one-shot", "absorbed", "fitted", "mask moved", "seconds"),
            (
                (
                    row.name,
                    " x ".join(map(str, row.shape)),
                    row.pattern,
                    f"{100 * row.density:.1f} %",
                    str(row.rows),
                    *(f"{100 * e:.2f} %" for e in (row.one_shot, row.absorbed, row.error)),
                    f"{100 * row.moved:.1f} %",
                    f"{row.seconds:.2f}",
                )
                for row in self.layers
            ),
            title=f"AdaPrune, {self.batches} batches, {self.seconds:.1f} s",
        )
        return "\n".join([table, *lines_on_dense(self.masked_share, self.skipped)])
