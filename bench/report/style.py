"""The look of the pictures: colours, fonts, and how they are saved."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

from .facts import REFERENCE, Facts
from .words import short_name

__all__ = ["FAINT", "GRID", "INK", "Look", "bare", "canvas", "looks", "save", "styled"]

INK, FAINT, GRID, WASH = "#1d2733", "#6b7785", "#e3e8ed", "#f3f6f8"
FONT = 8.5

# After Okabe and Ito, darkened so that thin lines and small letters stay legible: ours cold,
# the others warm. Shapes tell apart what colours do not.
OURS = ("#0b7a75", "#3b8ed0", "#4b5fb0", "#2a9d5c", "#5b6c7d", "#7b6cc4", "#1690a7", "#3f6b2f")
OTHERS = ("#c2410c", "#b0208a", "#a16207", "#d6336c", "#7a4b2a", "#c77700", "#8a1c1c", "#a04fc0")
FIRST = "#0b4f9e"
SHAPES = ("s", "D", "^", "v", "P", "X", "<", ">", "h", "p", "d")


STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "text.parse_math": False,  # names may hold any sign
    "text.color": INK,
    "axes.labelcolor": FAINT,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in our style, whatever the user's own is, and whatever letters a name has."""
    with style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


@dataclass(frozen=True)
class Look:
    """How a contestant is drawn everywhere."""

    colour: str
    marker: str
    ours: bool
    first: bool  # the reference: larger and bolder
    text: str

    @property
    def face(self) -> str:
        """Fill ours; leave the others hollow."""
        return self.colour if self.ours else "white"

    @property
    def weight(self) -> str:
        """Weight of the font."""
        return "bold" if self.ours else "normal"

    @property
    def size(self) -> float:
        """Size of the marker in points."""
        return 8.5 if self.first else 5.5


def looks(facts: Facts) -> dict[str, Look]:
    """Give every contestant its look."""
    shapes, ours, others = cycle(SHAPES), cycle(OURS), cycle(OTHERS)
    found = {}
    for name in facts.names:
        text = short_name(name)
        if name == REFERENCE:
            found[name] = Look(FIRST, "o", facts.ours(name), True, text)
        else:
            mine = facts.ours(name)
            found[name] = Look(next(ours if mine else others), next(shapes), mine, False, text)
    return found


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


def decades(axis: Axis, write: Callable[[float], str], base: int = 10) -> None:
    """Mark only the powers of the base on a logarithmic axis, in words."""
    axis.set_major_locator(LogLocator(base))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))


def entitle(figure: Figure, title: str, hint: str) -> None:
    """Set a picture's title, and how to read it in small letters beneath."""
    top = figure.get_figheight()
    figure.text(0.012, 1 - 0.12 / top, title, size=13, weight="bold", va="top")
    figure.text(0.012, 1 - 0.40 / top, hint, size=9, color=FAINT, va="top")


def settle(figure: Figure, right: float = 1.0) -> None:
    """Lay the panels out, with room for the title and, at the right, for names."""
    figure.tight_layout(rect=(0, 0, right, 1 - 0.58 / figure.get_figheight()), w_pad=2.0)


def save(figure: Figure, path: Path, *, bands: bool = False) -> None:
    """Save as a PNG of few colours, without anything that changes from run to run.

    Pictures with `bands` keep the pale colours of those.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    picture = Image.open(buffer).convert("RGB")
    colours, by = (256, Image.Quantize.MEDIANCUT) if bands else (128, Image.Quantize.MAXCOVERAGE)
    few = picture.quantize(colours, by, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
