"""A plan as tables of text, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from masksolve import hardware
from masksolve.planning.rows import PlanRow

__all__ = ["Table", "as_text", "layer_table", "notes", "plan_tables"]


Rows: TypeAlias = Sequence[PlanRow]
"""Of all layers together, a pattern each; or of each layer, a pattern each."""


class Table(NamedTuple):
    """A title, the columns' names, and rows of as many texts."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def plan_tables(rows: Rows, layers: Rows) -> list[Table]:
    """Give two tables: what each pattern keeps, and what it costs and saves."""
    kept, cost = [_kept(row) for row in rows], [_cost(row) for row in rows]
    return [
        Table(
            f"Kept score and mask diversity: {_extent(rows, layers)}", list(kept[0]), _texts(kept)
        ),
        Table(
            "Storage in bits a weight, multiply-adds that a sparse product can skip, hardware",
            list(cost[0]),
            _texts(cost),
        ),
    ]


def _texts(rows: Sequence[dict[str, str]]) -> list[list[str]]:
    return [list(row.values()) for row in rows]


def _extent(rows: Rows, layers: Rows) -> str:
    number = len(layers) // len(rows)
    tensors = f"{number} tensors, " if number > 1 else ""
    return f"{tensors}{rows[0].weights:,} weights"


def _kept(row: PlanRow) -> dict[str, str]:
    """Say by columns' names what a pattern keeps."""
    return {
        "pattern": str(row.pattern),
        "density": f"{row.density:.3g}",
        "keeps": _keeps(row),
        "loses to plain": percent(row.loss_to_plain) if row.pattern.transposable else "-",
        "to unstructured": percent(row.loss_to_unstructured),
        "masks": _masks(row),
        "bits a weight": _bits(row.mask_entropy),
    }


def _masks(row: PlanRow) -> str:
    if not row.counted_weights:
        return "unknown"
    sign = "" if row.exact else "~"
    more = "> " if row.counted_weights < row.weights else ""
    return f"{more}{sign}10^{row.log10_masks:,.0f}"


def _bits(bits: float | None) -> str:
    return "-" if bits is None else f"{bits:.3f}"


def _keeps(row: PlanRow) -> str:
    text = percent(row.kept_share)
    if row.interval is not None:
        text += f" ± {50 * (row.interval[1] - row.interval[0]):.2f}"
    return text if row.proven else f"{text} (not proven)"


def _cost(row: PlanRow) -> dict[str, str]:
    """Say by columns' names what a pattern costs and saves."""
    bits = row.storage
    return {
        "pattern": str(row.pattern),
        "values": f"{bits['values']:.4g} of {bits['dense']:.4g}",
        "+ bitmap": _bits(bits["bitmap"]),
        "or N:M index": _bits(bits["index"]),
        "or NVIDIA's": _bits(bits["nvidia"]),
        "or at least": _bits(bits["entropy"]),
        "forward": percent(row.saved_forward, 1),
        "backward": percent(row.saved_backward, 1),
        "of training": percent(row.saved_training, 1),
        "runs on": hardware.today(row.pattern),
    }


def percent(share: float, digits: int = 2) -> str:
    """Write a share as a percentage; what rounds to nothing has no sign.

    Examples
    --------
    >>> percent(0.12345), percent(-1e-12)
    ('12.35 %', '0.00 %')
    """
    return f"{round(100 * share, digits) + 0.0:.{digits}f} %"


def layer_table(rows: Rows, layers: Rows) -> Table:
    """Give what every pattern keeps of every layer."""
    width = len(rows)
    groups = [layers[k : k + width] for k in range(0, len(layers), width)]
    return Table(
        "Kept score by tensor",
        ["tensor", "weights", *(str(row.pattern) for row in rows)],
        [[g[0].name, f"{g[0].weights:,}", *map(_keeps, g)] for g in groups],
    )


def notes(rows: Rows, sample: int | None) -> list[str]:
    """Say what the tables leave open, one sentence each."""
    found = []
    if any(row.solved_tiles < row.tiles for row in rows):
        found.append(
            f"At most {sample:,} tiles of each tensor were solved: ± is a 95 % interval "
            "for the sampling, losses are estimates too."
        )
    partial = {row.pattern.m: row for row in rows if row.partial_tiles}
    if partial:
        counts = (
            f"{row.partial_tiles:,} of {row.tiles:,} at m = {m}" for m, row in partial.items()
        )
        found.append(
            f"Partial tiles, whose lines keep at most n of what they have: {', '.join(counts)}."
        )
    counted = [row for row in rows if row.counted_weights]
    if not all(row.exact for row in counted):
        found.append("~ marks an asymptotic count of masks, the others are exact.")
    if any(row.counted_weights < row.weights for row in counted):
        found.append("> marks masks of full tiles only: those of partial ones are too many.")
    found.append(
        "Of the three products of a training step that of the weight gradient stays dense."
    )
    found.append(
        f"Hardware as documented by its makers, {hardware.CHECKED}; 'as 2:4' runs, and saves, "
        "what 2:4 does."
    )
    return found


def as_text(rows: Rows, layers: Rows, sample: int | None) -> str:
    """Lay everything out as plain text."""
    parts = [f"{table.title}\n{_aligned(table)}" for table in plan_tables(rows, layers)]
    return "\n\n".join([*parts, "\n".join(notes(rows, sample))])


def _aligned(table: Table) -> str:
    lines: list[Sequence[str]] = [table.columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if k else text.ljust(width)
            for k, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
