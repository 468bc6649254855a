"""A table, for terminals and for pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rich.box import MARKDOWN
from rich.table import Table as RichTable

__all__ = ["Table"]


@dataclass
class Table:
    """A title, a head, rows of text; the first columns are words."""

    title: str
    head: tuple[str, ...]
    words: int = 1
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def markdown(self) -> str:
        """Write it for a page."""
        rule = ["---"] * self.words + ["---:"] * (len(self.head) - self.words)
        lines = (self.head, rule, *self.rows)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def rich(self) -> RichTable:
        """Lay it out for a terminal."""
        table = RichTable(box=MARKDOWN)
        for k, column in enumerate(self.head):
            side: Literal["left", "right"] = "left" if k < self.words else "right"
            table.add_column(column, justify=side, no_wrap=True)
        for row in self.rows:
            table.add_row(*(cell.replace("**", "").replace("`", "") for cell in row))
        return table
