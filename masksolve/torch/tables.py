"""Tables of text, for what reports print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

__all__ = ["as_table", "lines_on_dense"]


def as_table(
    left: Sequence[str],
    right: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    total: Sequence[str] | None = None,
    title: str | None = None,
) -> str:
    """Lay out rows of cells.

    Parameters
    ----------
    left, right : sequence of str
        Headings of columns of words, and of those of numbers after them.
    rows : iterable of sequence of str
    total : sequence of str, optional
        A last row, below a line.
    title : str, optional
    """
    # rich takes a while to import: who trains and never prints does without.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in left:
        table.add_column(heading, no_wrap=True)
    for heading in right:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    if total is not None:
        table.add_section()
        table.add_row(*total)
    text = StringIO()
    Console(file=text, width=200, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def lines_on_dense(masked_share: float, skipped: Iterable[tuple[str, str]]) -> list[str]:
    """Say how much of a model has masks, and what has none, a line for each reason.

    Examples
    --------
    >>> skipped = [("embed", "a lookup"), ("pos", "a table"), ("bias", "a table")]
    >>> for line in lines_on_dense(0.75, skipped):
    ...     print(line)
    masks on 75.0 % of the model's parameters
    dense: embed, a lookup
    dense: pos and 1 more, a table
    """
    names: dict[str, list[str]] = {}
    for name, why in skipped:
        names.setdefault(why, []).append(name)
    lines = [f"masks on {100 * masked_share:.1f} % of the model's parameters"]
    for why, (first, *others) in names.items():
        more = f" and {len(others)} more" if others else ""
        lines.append(f"dense: {first}{more}, {why}")
    return lines
