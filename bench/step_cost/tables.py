"""What renewing masks costs a step, in tables and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..pages.findings import load
from ..pages.table import Table

__all__ = ["Cost", "loops", "read", "rivals", "where_it_goes"]

Cost = dict[str, Any]


def read(path: Path) -> Cost:
    """Read the figures.

    Raises
    ------
    FileFormatError
        If the file is not there or holds something else.
    """
    found: Cost = load(path, ("loops", "parts", "rivals"), "make bench-step")
    return found


def loops(found: Cost) -> Table:
    """Lay out the loops: their steps, and their renewals."""
    network = found["network"]
    title = (
        f"width {network['width']}, {network['blocks']} blocks, batch {network['batch']} x "
        f"{network['length']}, {network['masked'] / 1e6:.1f} million masked weights, "
        f"{found['threads']} threads; {found['rounds']} rounds"
    )
    head = "loop | step, ms | x dense | quartiles | mean | renewal, ms | renewals, %"
    table = Table(title, head)
    for row in found["loops"]:
        times = f"{1e3 * row['step']:.1f}", f"{row['ratio']:.3f}"
        spread = f"{row['low']:.3f} to {row['high']:.3f}", f"{row['mean_ratio']:.3f}"
        renewals = ("", "")
        if row["renewal"] is not None:
            renewals = f"{1e3 * row['renewal']:.1f}", f"{100 * row['share']:.2f}"
        table.add(row["loop"], *times, *spread, *renewals)
    return table


def rivals(found: Cost) -> Table:
    """Lay out the others' renewals of the same masks."""
    seldom = found["seldom"]
    head = f"solver | renewal, s | kept, % of exact | every step, % | every {seldom}, %"
    rows = (
        f"{row['name']} | needs {', '.join(row['missing'])} |  |  | "
        if "missing" in row
        else f"{row['name']} | {row['renewal']:.2f} | {100 * row['kept']:.3f} | "
        f"{100 * row['share_every_step']:,.0f} | {100 * row['share_seldom']:,.1f}"
        for row in found["rivals"]
    )
    return Table("the same masks by others; per cent of dense steps", head, rows=rows)


def where_it_goes(found: Cost) -> str:
    """Say where the time goes."""
    parts, (dense, never, *_) = found["parts"], found["loops"]
    product = 1e3 * (never["ratio"] - 1) * dense["step"]
    return (
        f"Where it goes, in {never['pattern']}: the masked product {product:.1f} ms a step; a "
        f"renewal {1e3 * parts['renewal']:.1f} ms, of it {1e3 * parts['solve']:.1f} solving "
        f"and {1e3 * parts['rest']:.1f} comparing, summing and writing. In a renewal "
        f"{100 * parts['flip_rate']:.2f} % of the entries flip."
    )
