"""How the masks of a model stand, as a table and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from masksolve.errors import InvalidInput
from masksolve.torch.arrays import refuse_unreadable
from masksolve.torch.layer import Layer
from masksolve.torch.names import size_of
from masksolve.torch.tables import as_table, lines_on_dense
from masksolve.torch.training.history import History, LayerRecord, Record

__all__ = ["Report", "ReportRow", "report"]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """How a weight's mask stands, as of its last refresh."""

    name: str
    shape: tuple[int, ...]
    pattern: str
    density: float
    """Share of entries that are kept."""
    kept: float | None
    """Kept score over the score of all entries."""
    gap: float | None
    """Proven: no mask keeps more than the kept score and this. None: nothing was proven."""
    flip_rate: float | None
    """Share of entries that changed in the last refresh."""
    sad: int | None
    """Entries that differ from the masks of the step asked for."""
    seconds: float
    """Spent on its masks so far."""


@dataclass(frozen=True, slots=True)
class Report:
    """Rows for every weight, and their sum; printing it gives a table.

    Attributes
    ----------
    step : int
    since : int or None
        The step that SAD refers to; None: the first masks.
    layers : list of ReportRow
    total : ReportRow
    skipped : list of (str, str)
        Weights that have no mask, and why.
    masked_share : float
        Of all parameters of the model: how many have a mask, kept or not.
    """

    step: int
    since: int | None
    layers: list[ReportRow]
    total: ReportRow
    skipped: list[tuple[str, str]]
    masked_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        since = "first masks" if self.since is None else f"step {self.since}"
        table = as_table(
            ("weight", "shape", "pattern"),
            ("density", "kept score", "gap", "flip rate", f"SAD, {since}", "seconds"),
            map(_cells, self.layers),
            total=_cells(self.total) if len(self.layers) > 1 else None,
            title=f"masks after {self.step} steps",
        )
        return "\n".join([table, *lines_on_dense(self.masked_share, self.skipped)])


def report(
    model: nn.Module,
    layers: Sequence[Layer],
    history: History,
    steps: int,
    skipped: list[tuple[str, str]],
    since: int | None,
) -> Report:
    """Put together what a handle knows of its layers."""
    if not layers:
        raise InvalidInput("the model is finalized: ask for its report before")
    for layer in layers:
        refuse_unreadable(layer.mask, f"the mask of {layer.name}")
    records: dict[str, LayerRecord] = {}
    for record in history.records:
        records.update(record.layers)
    if since is not None and not records:
        raise InvalidInput("there are no masks yet: they come after the warm-up")
    rows = [
        ReportRow(
            name=layer.name,
            shape=tuple(layer.mask.shape),
            pattern=str(layer.masked.pattern),
            density=float(layer.mask.sum()) / layer.mask.numel(),
            sad=history.sad(since, layers=[layer.name]) if layer.name in records else None,
            seconds=layer.seconds,
            **_figures(records.get(layer.name)),
        )
        for layer in layers
    ]
    size = sum(layer.mask.numel() for layer in layers)
    complete = all(layer.name in records for layer in layers)
    total = ReportRow(
        name="all",
        shape=(size,),
        pattern=", ".join(sorted({row.pattern for row in rows})),
        density=sum(float(layer.mask.sum()) for layer in layers) / size,
        sad=sum(row.sad or 0 for row in rows) if complete else None,
        seconds=sum(row.seconds for row in rows),
        **_figures(Record(steps, records).whole if complete else None),
    )
    return Report(steps, since, rows, total, skipped, size / size_of(model))


def _figures(record: LayerRecord | None) -> dict[str, float | None]:
    if record is None:
        return {"kept": None, "gap": None, "flip_rate": None}
    return {"kept": record.kept_share, "gap": record.gap, "flip_rate": record.flip_rate}


def _cells(row: ReportRow) -> list[str]:
    def percent(value: float | None, digits: int = 2) -> str:
        return "-" if value is None else f"{100 * value:.{digits}f} %"

    return [
        row.name,
        " x ".join(map(str, row.shape)),
        row.pattern,
        percent(row.density, 1),
        percent(row.kept),
        "not proven" if row.gap is None else f"{row.gap:.2g}",
        percent(row.flip_rate, 3),
        "-" if row.sad is None else str(row.sad),
        f"{row.seconds:.3f}",
    ]
