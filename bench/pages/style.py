"""The look of the pictures: colours, fonts, and how they are saved."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "bare",
    "decades",
    "heat",
    "legend_beside",
    "pairs",
    "per_cent",
    "save",
    "sheet",
    "styled",
]

INK, FAINT, GRID, WASH = "#1d2733", "#6b7785", "#e3e8ed", "#f3f6f8"
FONT = 8.5

# After Okabe and Ito, darkened so that thin lines and small letters stay legible: ours cold,
# the others warm. Shapes tell apart what colours do not.
OURS = ("#0b7a75", "#3b8ed0", "#4b5fb0", "#2a9d5c", "#5b6c7d", "#7b6cc4", "#1690a7", "#3f6b2f")
OTHERS = ("#c2410c", "#b0208a", "#a16207", "#d6336c", "#7a4b2a", "#c77700", "#8a1c1c", "#a04fc0")
FINE = (1.0, 2.0, 5.0)
"""Of every decade, where there are few of them."""

Palette = tuple[int, Image.Quantize]
"""How many colours a picture has, and how they are chosen."""
BANDS: Palette = (256, Image.Quantize.MEDIANCUT)
"""Keeps the pale colours of bands."""
LINES: Palette = (128, Image.Quantize.MAXCOVERAGE)

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "text.parse_math": False,  # names may hold any sign
    "text.color": INK,
    "axes.labelcolor": FAINT,
}


@contextmanager
def styled(**other: Any) -> Iterator[None]:
    """Draw in our style, whatever the user's own is, and whatever letters a name has."""
    with style.context(["default", STYLE | other]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def canvas(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels, row by row."""
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def bare(axes: Axes, title: str) -> None:
    """Take the frame away, and set the title."""
    axes.set_title(title, loc="left", weight="bold", size=11, color=INK, pad=7)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=FAINT, labelsize=FONT)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def decades(
    axis: Axis, write: Callable[[float], str], base: int = 10, subs: Sequence[float] = (1.0,)
) -> None:
    """Mark only the powers of the base on a logarithmic axis, or `subs` times them, in words."""
    axis.set_major_locator(LogLocator(base, subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))


def per_cent(share: float) -> str:
    """Write a share at an axis."""
    return f"{100 * share:g} %"


def legend_beside(axes: Axes, **options: Any) -> None:
    """Set the legend at the right of the panel, where nothing is drawn."""
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), **options)


def heat(
    axes: Axes, shares: NDArray[Any], write: Callable[[float], str], size: float = FONT
) -> AxesImage:
    """Fill a panel with fields, (rows, columns), the darker the larger the share written in it."""
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.6 else INK
        axes.text(column, row, write(share), ha="center", va="center", color=colour, size=size)
    return axes.imshow(shares, vmin=0, vmax=1, aspect="auto", cmap="Blues")


def entitle(figure: Figure, title: str, hint: str) -> None:
    """Set a picture's title, and how to read it in small letters beneath."""
    top = figure.get_figheight()
    figure.text(0.012, 1 - 0.12 / top, title, size=13, weight="bold", va="top")
    figure.text(0.012, 1 - 0.40 / top, hint, size=9, color=FAINT, va="top")


def settle(
    figure: Figure, left: float = 0.0, bottom: float = 0.0, right: float = 1.0, w_pad: float = 2.0
) -> None:
    """Lay the panels out, with room for the title and, as shares, at other sides."""
    top = 1 - 0.58 / figure.get_figheight()
    figure.tight_layout(rect=(left, bottom, right, top), w_pad=w_pad)


@contextmanager
def sheet(
    rows: int, columns: int, width: float, height: float, title: str, hint: str, **room: float
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a titled figure and its panels, to be drawn on in our style and then laid out."""
    with styled():
        figure, panels = canvas(rows, columns, width, height)
        entitle(figure, title, hint)
        yield figure, panels
        settle(figure, **room)


@contextmanager
def pairs(
    count: int, width: float, height: float, title: str, hint: str
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a sheet of so many panels, each of such a size, two beside each other."""
    columns = min(2, count)
    rows = -(-count // columns)
    size = width * columns, height * rows + 0.7
    with sheet(rows, columns, *size, title, hint) as (figure, panels):
        for axes in panels[count:]:
            axes.set_visible(False)
        yield figure, panels[:count]


def save(figure: Figure, path: Path, palette: Palette = BANDS) -> None:
    """Save as a PNG of few colours, without anything that changes from run to run."""
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(*palette, dither=Image.Dither.NONE).save(path, optimize=True)
