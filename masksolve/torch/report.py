"""How the masks of a model stand, as a table and as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from masksolve.errors import InvalidInput
from masksolve.torch.history import LayerRecord, Record

if TYPE_CHECKING:
    from masksolve.torch.handle import Handle
    from masksolve.torch.layer import Layer

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
    """

    step: int
    since: int | None
    layers: list[ReportRow]
    total: ReportRow
    skipped: list[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        # Who trains and never prints it does without.
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table

        title = f"masks after {self.step} steps"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
        since = "first masks" if self.since is None else f"step {self.since}"
        for column in ("weight", "shape", "pattern"):
            table.add_column(column, no_wrap=True)
        for column in ("density", "kept score", "gap", "flip rate", f"SAD, {since}", "seconds"):
            table.add_column(column, justify="right", no_wrap=True)
        for row in self.layers:
            table.add_row(*_cells(row))
        if len(self.layers) > 1:
            table.add_section()
            table.add_row(*_cells(self.total))
        console = Console(file=StringIO(), width=200, color_system=None)
        console.print(table)
        for name, why in self.skipped:
            console.print(f"dense: {name}, {why}", highlight=False)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return "\n".join(line.rstrip() for line in text.splitlines())


def report(handle: Handle, since: int | None) -> Report:
    """Put together what a handle knows."""
    if not handle.layers:
        raise InvalidInput("the model is finalized: ask for its report before")
    records: dict[str, LayerRecord] = {}
    for record in handle.history.records:
        records.update(record.layers)
    if since is not None and not records:
        raise InvalidInput("there are no masks yet: they come after the warm-up")
    rows = [_row(handle, layer, records.get(layer.name), since) for layer in handle.layers]
    size = sum(layer.mask.numel() for layer in handle.layers)
    complete = all(layer.name in records for layer in handle.layers)
    total = ReportRow(
        name="all",
        shape=(size,),
        pattern=", ".join(sorted({row.pattern for row in rows})),
        density=sum(float(layer.mask.sum()) for layer in handle.layers) / size,
        sad=sum(row.sad or 0 for row in rows) if complete else None,
        seconds=sum(row.seconds for row in rows),
        **_figures(Record(handle.steps, records).whole if complete else None),
    )
    return Report(handle.steps, since, rows, total, handle.skipped)


def _row(handle: Handle, layer: Layer, latest: LayerRecord | None, since: int | None) -> ReportRow:
    return ReportRow(
        name=layer.name,
        shape=tuple(layer.mask.shape),
        pattern=str(layer.masked.pattern),
        density=float(layer.mask.sum()) / layer.mask.numel(),
        sad=None if latest is None else handle.history.sad(since, layers=[layer.name]),
        seconds=layer.seconds,
        **_figures(latest),
    )


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
