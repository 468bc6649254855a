"""The page as it grows: headings, paragraphs, tables and pictures, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .style import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Page"]


class Page:
    """A Markdown page in a folder, with its pictures beside it.

    Text is Markdown already: names and reasons must have gone through `words.plain`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blocks: list[str] = []
        self.pictures: list[Path] = []

    def heading(self, level: int, text: str) -> None:
        """Start a section."""
        self.blocks.append(f"{'#' * level} {text}")

    def say(self, *sentences: str) -> None:
        """Add a paragraph of those sentences that are not empty."""
        said = [sentence for sentence in sentences if sentence]
        if said:
            self.blocks.append(" ".join(said))

    def bullets(self, items: Iterable[str]) -> None:
        """Add a list, if there is anything in it."""
        said = [f"- {item}" for item in items]
        if said:
            self.blocks.append("\n".join(said))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
        """Add a table; the first `left` columns are aligned left, the others right."""
        rule = ["---"] * left + ["---:"] * (len(head) - left)
        lines = [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
        self.blocks.append("\n".join(lines))

    def code(self, language: str, text: str) -> None:
        """Add a block of code."""
        self.blocks.append(f"```{language}\n{text.strip()}\n```")

    def picture(self, name: str, shows: str, figure: Figure | None) -> None:
        """Save a picture and show it; without one, say that there was nothing to draw."""
        if figure is None:
            self.say(f"No picture: nothing was measured for {shows[0].lower()}{shows[1:]}.")
            return
        path = self.folder / f"{name}.png"
        save(figure, path)
        self.pictures.append(path)
        self.blocks.append(f"![{shows}]({path.name})")

    def write(self) -> list[Path]:
        """Write the page; returns it and its pictures."""
        path = self.folder / "index.md"
        path.write_text("\n\n".join(self.blocks) + "\n", encoding="utf-8")
        return [path, *self.pictures]
