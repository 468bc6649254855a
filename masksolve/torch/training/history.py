"""What happened to the masks, refresh by refresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import InvalidInput
from masksolve.torch.training.flips import Flips
from masksolve.torch.training.picture import Curve, Curves, draw

__all__ = ["History", "LayerRecord", "Record", "log"]

MOST = 4096
"""Records kept; beyond them every other of the older half goes."""


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer's mask after a refresh."""

    size: int
    """Entries."""
    flips: int
    """Entries that changed in this refresh."""
    kept: float
    """Kept score."""
    total: float
    """Score of all entries (of their magnitudes, if the score has signs)."""
    gap: float | None
    """Proven: no mask keeps more than kept + gap. None if nothing was proven."""
    seconds: float

    @property
    def flip_rate(self) -> float:
        """Share of the entries that changed (Hu et al. 2024)."""
        return self.flips / self.size

    @property
    def kept_share(self) -> float:
        """Kept score over the score of all entries."""
        return self.kept / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """One refresh."""

    step: int
    """Optimizer steps taken before it."""
    layers: Mapping[str, LayerRecord]

    @property
    def whole(self) -> LayerRecord:
        """All layers together."""
        rows = self.layers.values()
        gaps = [row.gap for row in rows if row.gap is not None]
        return LayerRecord(
            size=sum(row.size for row in rows),
            flips=sum(row.flips for row in rows),
            kept=sum(row.kept for row in rows),
            total=sum(row.total for row in rows),
            gap=sum(gaps) if len(gaps) == len(self.layers) else None,
            seconds=sum(row.seconds for row in rows),
        )


@dataclass(slots=True)
class History:
    """The refreshes of a model's masks, in order.

    Attributes
    ----------
    records : list of Record
        The latest ones, older ones thinned out.
    """

    records: list[Record] = field(default_factory=list)
    _flips: dict[str, Flips] = field(default_factory=dict)

    def add(self, record: Record, changes: Mapping[str, NDArray[np.uint32]]) -> None:
        """Note a refresh, and which entries changed in it; none for the first masks."""
        self.records.append(record)
        if len(self.records) > MOST:
            older = len(self.records) // 2
            self.records = self.records[:older:2] + self.records[older:]
        for name in record.layers:
            if name not in self._flips:
                self._flips[name] = Flips(record.step)
            else:
                self._flips[name].add(record.step, changes[name])

    def sad(
        self,
        since: int | None = None,
        until: int | None = None,
        layers: Iterable[str] | None = None,
    ) -> int:
        """Return by how many entries the masks after two steps differ.

        Parameters
        ----------
        since, until : int
            Numbers of optimizer steps; None: the first masks, and the latest.
        layers : iterable of str, optional
            Names as in ``handle.masks``; default: all.

        Raises
        ------
        InvalidInput
            If there were no masks yet, or they are no longer kept: of a long training
            the steps nearest to which masks are known are named.
        """
        if not self._flips:
            raise InvalidInput("there are no masks yet: they come after the warm-up")
        names = self._flips if layers is None else list(layers)
        for name in names:
            if name not in self._flips:
                raise InvalidInput(f"no layer is called {name!r}: {', '.join(self._flips)}")
        total = 0
        for flips in (self._flips[name] for name in names):
            first = flips.steps[0] if since is None else since
            total += flips.sad(first, flips.steps[-1] if until is None else until)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return all records as lists and numbers, for JSON or a table.

        None where a layer's masks were not renewed: in a ramp not all fall at once.
        """
        return {
            "steps": [record.step for record in self.records],
            "layers": {
                name: {
                    key: [getattr(r.layers.get(name), key, None) for r in self.records]
                    for key in ("flip_rate", "kept_share", "gap", "seconds")
                }
                for name in self._flips
            },
        }

    def plot(self, path: str | PathLike[str]) -> None:
        """Draw kept share, flip rate, distance from the first masks and seconds over steps.

        Parameters
        ----------
        path : path-like
            Where the picture goes; its ending tells the kind.

        Raises
        ------
        InvalidInput
            If there are no masks yet, or without matplotlib.
        """
        if not self.records:
            raise InvalidInput("there is nothing to draw: no masks were solved yet")
        draw(self._curves(), Path(path))

    def _curves(self) -> Curves:
        rows: dict[str, list[tuple[int, LayerRecord]]] = {}
        for record in self.records:
            for name, row in record.layers.items():
                rows.setdefault(name, []).append((record.step, row))
        return Curves(
            kept=[
                Curve([step for step, _ in of], [100 * row.kept_share for _, row in of])
                for of in rows.values()
            ],
            flips=[  # the first masks come from none: nothing flips
                Curve([step for step, _ in of[1:]], [100 * row.flip_rate for _, row in of[1:]])
                for of in rows.values()
            ],
            distances=[
                Curve(
                    self._flips[name].steps,
                    [100 * far / of[0][1].size for far in self._flips[name].from_first()],
                )
                for name, of in rows.items()
            ],
            milliseconds=Curve(
                [record.step for record in self.records],
                [1000 * record.whole.seconds for record in self.records],
            ),
        )


def log(writer: Any, record: Record) -> None:
    """Log a refresh to whatever takes TensorBoard's scalars."""
    rows = {"": record.whole, **{f"/{name}": row for name, row in record.layers.items()}}
    for name, row in rows.items():
        for key in ("flip_rate", "kept_share", "seconds"):
            writer.add_scalar(f"masksolve/{key}{name}", getattr(row, key), record.step)
