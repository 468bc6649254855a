"""A table, for terminals and for pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table as RichTable

__all__ = ["Table", "show"]


class Table:
    """A title, names of columns, and rows of text.

    Parameters
    ----------
    title : str
    head : str or sequence of str
        Names of the columns; as one string they are parted by `` | ``, as in Markdown.
    words : int
        So many columns at the left are words, the others figures.
    rows : iterable of str or sequences of str
        As one string a row is parted as the head is, so no cell of it may hold such a mark.

    Attributes
    ----------
    title : str
    columns : list of str
    rows : list of tuple of str
    """

    def __init__(
        self,
        title: str,
        head: str | Sequence[str],
        words: int = 1,
        rows: Iterable[str | Sequence[str]] = (),
    ) -> None:
        self.title, self.columns = title, list(_cells(head))
        self.rows = [_cells(row) for row in rows]
        self._words = words

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def markdown(self) -> str:
        """Write it for a page."""
        rule = ["---"] * self._words + ["---:"] * (len(self.columns) - self._words)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (self.columns, rule, *self.rows))

    def rich(self) -> RichTable:
        """Lay it out for a terminal."""
        table = RichTable(box=MARKDOWN)
        for k, column in enumerate(self.columns):
            side: Literal["left", "right"] = "left" if k < self._words else "right"
            table.add_column(column, justify=side, no_wrap=True)
        for row in self.rows:
            table.add_row(*(cell.replace("**", "").replace("`", "") for cell in row))
        return table


def _cells(row: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(row.split(" | ") if isinstance(row, str) else row)


def show(tables: Iterable[Table], console: Console) -> None:
    """Print tables, each below its title."""
    for table in tables:
        console.print(table.title, table.rich(), sep="\n")
