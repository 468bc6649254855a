"""What pictures have in common: colours, what is refused before any work, and files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from masksolve.errors import InvalidInput, naming
from masksolve.storage.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FAINT", "GRID", "INK", "check_drawing", "save", "style"]

INK, FAINT, GRID = "#1d2733", "#6b7783", "#e3e8ed"
FORMATS = (".png", ".svg", ".pdf")


def check_drawing(path: Path) -> None:
    """Refuse what cannot be drawn, before any work is done for it."""
    if path.suffix.lower() not in FORMATS:
        raise InvalidInput(f"{path} must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    with naming(path, "write", InvalidInput):  # a name that is too long, say
        if not path.absolute().parent.is_dir():
            raise InvalidInput(f"{path} lies in a folder that does not exist")
        if path.is_dir():
            raise InvalidInput(f"{path} is a folder: expected the name of a picture")
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise InvalidInput("drawing needs matplotlib: pip install matplotlib") from None


def style(axes: Axes, title: str, size: float = 12.0) -> None:
    """Draw a plain frame: a title of so many points, a grid, no spines."""
    axes.set_title(title, loc="left", fontsize=size, weight="bold", color=INK)
    axes.grid(color=GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both", labelcolor=FAINT)
    axes.spines[:].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Write a picture that appears whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=110, facecolor="white")
    content = buffer.getvalue()
    with whole_file(path, len(content)) as file:
        file.write(content)
