"""The experiment's tables."""

from __future__ import annotations

from math import isnan

from ...pages.table import Table
from .findings import Promise, Reader
from .published import ROWS
from .sizes import SAMPLERS

__all__ = ["errors", "groups", "promises", "published", "sizes"]


def errors(reader: Reader, what: str) -> Table:
    """Lay out errors by budget; what is clearly better than by magnitude is bold."""
    after = {"wrong": "as pruned", "tuned": "trained on"}[what]
    table = Table(f"held-out error, %, {after}", ("budget, %", *SAMPLERS))
    for budget in reader.budgets:
        cells = []
        for sampler in SAMPLERS:
            text = reader.mean(sampler, budget, what).write(100, 1)
            less = reader.less(sampler, "magnitude", budget, what)
            cells.append(f"**{text}**" if less.sure and less.mean < 0 else text)
        table.add(f"{100 * budget:g}", *cells)
    dense = reader.dense("trained_on" if what == "tuned" else "dense").write(100, 1)
    table.add("dense", *[dense] * len(SAMPLERS))
    return table


def sizes(reader: Reader) -> Table:
    """Lay out the share of parameters that stayed, and the output's error."""
    head = tuple(f"{sampler}: {what}" for sampler in SAMPLERS for what in ("%", "output"))
    table = Table(
        "share of parameters that stayed, and error of the output's norm", ("budget, %", *head)
    )
    for budget in reader.budgets:
        cells = []
        for sampler in SAMPLERS:
            cells.append(f"{100 * reader.mean(sampler, budget, 'share').mean:.1f}")
            cells.append(f"{reader.mean(sampler, budget, 'output').mean:.2f}")
        table.add(f"{100 * budget:g}", *cells)
    return table


BOUNDS = (
    ("certified", "measured", "certain, once drawn; calibration"),
    ("proven", "measured", "proven, before; calibration"),
    ("published", "measured", "published; calibration"),
    ("published", "held_out", "published; held out"),
    ("certified", "held_out", "certain for calibration; held out"),
)


def promises(reader: Reader) -> Table:
    """Lay out how often layers kept within their bounds."""
    head = "sampler | bound; data | layers x trials | within, % | error / bound, median | largest"
    table = Table("promises kept", head, words=2)
    for sampler in SAMPLERS:
        for bound, measured, name in BOUNDS:
            kept = reader.promise(bound, measured, [sampler])
            if kept.trials:
                table.add(sampler, name, *_promise(kept))
    return table


def _promise(kept: Promise) -> tuple[str, ...]:
    ratios = ("-" if isnan(r) else f"{r:.2g}" for r in (kept.usual, kept.closest))
    return f"{kept.trials}", f"{100 * kept.share:.2f}", *ratios


def groups(reader: Reader) -> Table:
    """Lay out which filters go first: what the common error leaves in each group."""
    run = reader.runs("deterministic")[0]
    table = Table(
        "filters kept by the deterministic sampler, of the first network",
        ("filters of", "of", "sensitivity", *(f"{100 * b:g} %" for b in reader.budgets)),
    )
    for g, makers in enumerate(run["makers"]):
        kept = (str(point["kept"][g]) for point in run["points"])
        total = f"{run['sensitivities'][g]:.1f}"
        table.add(", ".join(makers), str(run["filters"][g]), total, *kept)
    return table


def published() -> Table:
    """Lay out the authors' own figures."""
    head = (
        "data | network | command | dense, % | change, points | parameters gone, % | "
        "operations gone, %"
    )
    rows = (
        f"{row.data} | {row.network} | `{row.command}` | {row.dense:.2f} | {row.change:+.2f} | "
        f"{row.parameters:.2f} | {row.operations:.2f}"
        for row in ROWS
    )
    return Table("published by the authors; not measured here", head, 3, rows)
