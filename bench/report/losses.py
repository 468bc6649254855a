"""How the loss is spread over tiles: a row for each contestant, a panel for each pattern."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..pages.style import FAINT, GRID, bare, sheet
from ..results import QUANTILES, Quality
from .cells import why_nothing
from .facts import Facts, first
from .lanes import Lanes
from .looks import Look, looks

__all__ = ["draw_losses"]


def draw_losses(facts: Facts) -> Figure | None:
    """Draw for every contestant where the losses of its tiles lie."""
    shown = {}
    for pattern in facts.main:
        judged = [r for r in facts.quality if (r["pattern"], r["case"]) == (pattern, facts.case)]
        records = {name: first(judged, name) for name in facts.names}
        if any(record and record["loss_quantiles"] for record in records.values()):
            shown[pattern] = records
    if not shown:
        return None
    names = sorted(facts.names, key=lambda name: _rank(facts, name))
    look = looks(facts)
    size = 2.3 + 2.2 * max(2, len(shown)), 0.27 * len(names) + 1.5
    title = f"What single tiles lose, on {facts.case}"
    hint = (
        "thin: 5 to 95 % of the tiles; thick: the middle half; dot: the mean; cross: the worst tile"
    )
    with sheet(1, len(shown), *size, title, hint) as (figure, grid):
        for k, (axes, (pattern, records)) in enumerate(zip(grid, shown.items(), strict=True)):
            bare(axes, pattern)
            quantiles = [
                loss
                for record in records.values()
                if record and record["status"] == "ok"
                for loss in (*(record["loss_quantiles"] or ()), record["loss_mean"] or 0.0)
            ]
            lanes = Lanes(quantiles, width=0.9)
            lanes.horizontal(axes)
            axes.set_ylim(len(names) - 0.4, -0.6)
            said = ["" if k else look[name].text for name in names]
            axes.set_yticks(range(len(names)), said)
            for text, name in zip(axes.get_yticklabels(), names, strict=True):
                text.set(**look[name].font)
            for row, name in enumerate(names):
                _row(axes, row, records[name], look[name], lanes)
            axes.grid(axis="y", color=GRID, linewidth=0.6)
            axes.set_xlabel("loss of score, %")
    return figure


def _rank(facts: Facts, name: str) -> float:
    """Order rows by the mean loss in the headline's pattern; the unmeasured come last."""
    loss = facts.loss(name, facts.headline) if facts.headline else None
    return float("inf") if loss is None else loss


def _row(axes: Axes, row: int, record: Quality | None, look: Look, lanes: Lanes) -> None:
    quantiles = record["loss_quantiles"] if record else None
    if record is None or quantiles is None or record["status"] != "ok":
        word = why_nothing(record)
        axes.text(lanes.bottom + 0.1, row, word, size=7.5, color=FAINT, va="center", style="italic")
        return
    at = dict(zip(QUANTILES, (lanes(loss) for loss in quantiles), strict=True))
    for low, high, width in ((0.05, 0.95, 1.2), (0.25, 0.75, 4.5)):
        line: dict[str, Any] = {"linewidth": width, "solid_capstyle": "butt", "alpha": 0.85}
        axes.plot([at[low], at[high]], [row, row], color=look.colour, **line)
    axes.plot([at[1.0]], [row], "x", color=look.colour, ms=4.5, mew=1.2)
    if record["loss_mean"] is not None:
        look.point(axes, lanes(record["loss_mean"]), row, marker="o", ms=5.5, mew=1.2)
