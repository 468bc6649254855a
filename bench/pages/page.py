"""A page as it grows: headings, paragraphs, tables and pictures, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from os.path import relpath
from pathlib import Path

from matplotlib.figure import Figure

from .style import BANDS, Palette, save
from .table import Table

__all__ = ["Page"]


class Page:
    """A Markdown page, and the pictures that it shows.

    Text is Markdown already: names and reasons must have gone through `plain`.

    Parameters
    ----------
    path : Path
        Of the page.
    folder : Path, optional
        Of the pictures; default: that of the page.
    palette : tuple
        Of the pictures.

    Attributes
    ----------
    blocks : list of str
        What there is so far,
    tables : list of Table
        and what tables are among it.
    """

    def __init__(self, path: Path, folder: Path | None = None, palette: Palette = BANDS) -> None:
        self.blocks: list[str] = []
        self.tables: list[Table] = []
        self._path, self._folder, self._palette = path, folder or path.parent, palette
        self._pictures: dict[Path, Figure] = {}

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

    def table(self, table: Table) -> None:
        """Add a table, without its title."""
        self.tables.append(table)
        self.blocks.append(table.markdown())

    def fold(self, summary: str, table: Table) -> None:
        """Add a table that is closed until its summary is clicked on."""
        self.blocks.append(f"<details><summary>{summary}</summary>")
        self.table(table)
        self.blocks.append("</details>")

    def code(self, language: str, text: str) -> None:
        """Add a block of code."""
        self.blocks.append(f"```{language}\n{text.strip()}\n```")

    def picture(self, name: str, shows: str, figure: Figure | None) -> None:
        """Show a picture, ``name.png``; without one, say that there was nothing to draw."""
        if figure is None:
            self.say(f"No picture: nothing was measured for {shows[0].lower()}{shows[1:]}.")
            return
        path = self._folder / f"{name}.png"
        self._pictures[path] = figure
        self.blocks.append(f"![{shows}]({Path(relpath(path, self._path.parent)).as_posix()})")

    def text(self) -> str:
        """Return what the page holds."""
        return "\n\n".join(self.blocks) + "\n"

    def write(self) -> list[Path]:
        """Write the page and its pictures into folders made if need be; return all files."""
        for folder in (self._path.parent, self._folder):
            folder.mkdir(parents=True, exist_ok=True)
        for path, figure in self._pictures.items():
            save(figure, path, self._palette)
        self._path.write_text(self.text(), encoding="utf-8")
        return [self._path, *self._pictures]
