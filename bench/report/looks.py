"""How contestants are drawn: each with a colour and a mark of its own, everywhere the same."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes

from ..pages.style import FONT, OTHERS, OURS
from ..pages.words import short_name
from .facts import REFERENCE, Facts

__all__ = ["Look", "looks"]

FIRST = "#0b4f9e"
SHAPES = ("s", "D", "^", "v", "P", "X", "<", ">", "h", "p", "d")


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
    def font(self) -> dict[str, Any]:
        """How its name is written."""
        return {"size": FONT, "color": self.colour, "weight": self.weight}

    @property
    def size(self) -> float:
        """Size of the marker in points."""
        return 8.5 if self.first else 5.5

    def point(self, axes: Axes, x: float, y: float, **options: Any) -> None:
        """Draw its mark, or another."""
        options = {"marker": self.marker, "color": self.colour, "mfc": self.face} | options
        axes.plot([x], [y], linestyle="", zorder=4, **options)


def looks(facts: Facts) -> dict[str, Look]:
    """Give every contestant its look."""
    shapes, ours, others = cycle(SHAPES), cycle(OURS), cycle(OTHERS)
    found = {}
    for name in facts.names:
        mine, first, text = facts.ours(name), name == REFERENCE, short_name(name)
        mark = (FIRST, "o") if first else (next(ours if mine else others), next(shapes))
        found[name] = Look(*mark, mine, first, text)
    return found
