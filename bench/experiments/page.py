"""A page and its pictures, as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Pictures", "write"]

Pictures: TypeAlias = "Mapping[str, Callable[[], Figure]]"


def write(
    path: Path, folder: Path | None, pictures: Pictures, blocks: Callable[[str], Iterable[str]]
) -> list[Path]:
    """Write a page and its pictures.

    Parameters
    ----------
    path : Path
        Of the page, ``....md``.
    folder : Path or None
        Of the pictures; None: that of the page.
    pictures : mapping of str to callable
        What draws each of them, by the name of its file.
    blocks : callable
        Gives the page's paragraphs; it takes the pictures' folder, relative to the page.

    Returns
    -------
    list of Path
        All that was written.
    """
    from ..report.style import save  # matplotlib takes a while, and the words do without

    folder = folder or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, draw in pictures.items():
        drawn.append(folder / name)
        save(draw(), drawn[-1], bands=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(blocks(relpath(folder, path.parent))) + "\n"
    path.write_text(text, encoding="utf-8")
    return [path, *drawn]
