"""What is known of a tensor that was solved, besides what its mask has on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

__all__ = ["Figures", "Rivalry", "add_known", "figures_of", "read_figures"]


@dataclass(frozen=True, slots=True)
class Rivalry:
    """What another method makes of a tensor.

    Attributes
    ----------
    objective : float
    short_tiles : int
    seconds : float or None
        None: it was solved by an earlier run.
    """

    objective: float
    short_tiles: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a tensor that was solved.

    Attributes
    ----------
    weights : str
        The hash of what was read.
    total : float or None
        Sum of the magnitudes of all weights.
    tiles, short_tiles : int or None
        How many tiles there are, and how many of them have short lines.
    seconds : float or None
        That it took to solve; None: it was done by an earlier run.
    compare : dict of str to Rivalry
        What other methods make of it.
    """

    weights: str
    total: float | None
    tiles: int | None
    short_tiles: int | None
    seconds: float | None
    compare: dict[str, Rivalry]

    def to_json(self) -> dict[str, Any]:
        """Return what is the same for every run that solves the tensor."""
        return {
            "weights": self.weights,
            "total": self.total,
            "tiles": self.tiles,
            "short_tiles": self.short_tiles,
            "compare": {
                method: {"objective": rival.objective, "short_tiles": rival.short_tiles}
                for method, rival in self.compare.items()
            },
        }


def figures_of(lines: Sequence[Mapping[str, Any]], compare: Sequence[str]) -> dict[str, Figures]:
    """Put together what the steps of a run tell of each tensor.

    Parameters
    ----------
    lines : sequence of mapping
        Those of the journal.
    compare : sequence of str
        The methods whose figures they hold as well, in order.
    """
    slices: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        if "weights" in line:
            slices.setdefault(line["at"][0], []).append(line)
    return {name: _together(found, compare) for name, found in slices.items()}


def _together(lines: Sequence[Mapping[str, Any]], compare: Sequence[str]) -> Figures:
    rivals = {}
    for k, method in enumerate(compare):
        found = [line["rivals"][k] for line in lines]
        objective, short, seconds = (add_known(values) for values in zip(*found, strict=True))
        rivals[method] = Rivalry(objective, short, seconds)
    total, tiles, short, seconds = (
        add_known([line.get(key) for line in lines])
        for key in ("total", "tiles", "short_tiles", "seconds")
    )
    return Figures(lines[-1]["weights"], total, tiles, short, seconds, rivals)


def add_known(values: Sequence[Any]) -> Any:
    """Add up what is known of every part; of one it is not: nor of the whole."""
    if None in values:
        return None
    return sum(values) if all(isinstance(value, int) for value in values) else fsum(values)


def read_figures(held: Mapping[str, Any]) -> dict[str, Figures]:
    """Read those of a manifest.

    Raises
    ------
    KeyError, TypeError, AttributeError
        If they make no sense.
    """
    found = {}
    for name, entry in held.items():
        compare = {
            method: Rivalry(rival["objective"], rival["short_tiles"], None)
            for method, rival in entry["compare"].items()
        }
        weights, total = entry["weights"], entry["total"]
        tiles, short = entry["tiles"], entry["short_tiles"]
        found[name] = Figures(weights, total, tiles, short, None, compare)
    return found
