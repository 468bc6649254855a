"""What pruning left, and how far each layer is off: as it must be, and as it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from masksolve.torch.tables import as_table

__all__ = ["GroupRow", "LayerRow", "Report"]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Filters that were chosen from together.

    Attributes
    ----------
    makers : list of str
        The layers that they belong to: one, or those whose outputs are added.
    filters : int
        How many there were (of several layers that are tied: in each).
    kept : int
    sensitivity : float
        The sum of all sensitivities.
    draws : int or None
        None if nothing was left to chance.
    """

    makers: list[str]
    filters: int
    kept: int
    sensitivity: float
    draws: int | None


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer that reads pruned channels: its shape, and its relative error.

    Errors are those of the layer by itself, with the inputs of the whole network: the
    largest over inputs, outputs and patches, relative to what the positive (or negative)
    weights make of the positive (or negative) inputs; see the page on filter pruning.

    Attributes
    ----------
    name : str
    before, after : tuple of int
        Shape of the weight.
    published : float or None
        The bound as published, for all data, with probability 1 - delta; None if nothing
        was left to chance.
    proven : float or None
        For the calibration batches, with probability 1 - delta over the draws; None if
        nothing was left to chance.
    certified : float
        For the calibration batches, now that it is known what was drawn: certain.
    measured : float
        On the calibration batches.
    held_out : float or None
        The same on the batches held out, if there were any.
    norm : float
        Norm of the error of all outputs over theirs, on the calibration batches.
    """

    name: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    published: float | None
    proven: float | None
    certified: float
    measured: float
    held_out: float | None
    norm: float

    @property
    def guaranteed(self) -> float:
        """The least bound that holds for the calibration batches."""
        return self.certified if self.proven is None else min(self.proven, self.certified)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a network; printing it gives a table.

    Attributes
    ----------
    sampler : str
    budget : float
    parameters : tuple of int
        Before and after.
    epsilon : float or None
        The relative error that the published bound gave to all groups alike.
    delta : float
        The probability that a layer fails `proven`.
    groups : list of GroupRow
    layers : list of LayerRow
    output : float
        Norm of the error of the network's output over its norm, on the calibration batches.
    """

    sampler: str
    budget: float
    parameters: tuple[int, int]
    epsilon: float | None
    delta: float
    groups: list[GroupRow]
    layers: list[LayerRow]
    output: float

    @property
    def share(self) -> float:
        """The share of the parameters that is left."""
        before, after = self.parameters
        return after / before

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        before, after = self.parameters
        title = f"{self.sampler}: {after:,} of {before:,} parameters ({100 * self.share:.1f} %)"
        groups = as_table(
            ["filters of"],
            ["of", "kept", "sensitivity", "draws"],
            (
                (
                    _short(group.makers),
                    str(group.filters),
                    str(group.kept),
                    f"{group.sensitivity:.2f}",
                    "-" if group.draws is None else str(group.draws),
                )
                for group in self.groups
            ),
        )
        figures = ("published", "proven", "certified", "guaranteed", "measured", "held_out", "norm")
        layers = as_table(
            ["layer"],
            ["before", "after", *(name.replace("_", " ") for name in figures)],
            (
                (
                    row.name,
                    *(" x ".join(map(str, shape)) for shape in (row.before, row.after)),
                    *(_error(getattr(row, name)) for name in figures),
                )
                for row in self.layers
            ),
        )
        output = f"relative error of the network's output: {self.output:.3g}"
        return "\n".join([title, groups, "relative errors", layers, output])


def _short(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _error(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
