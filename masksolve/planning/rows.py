"""A plan's rows: totals from which every share is worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import log2, sqrt
from typing import Any

from masksolve import hardware
from masksolve.hardware import Hardware
from masksolve.pattern import Pattern

__all__ = ["PlanRow", "total_row"]

NORMAL_95 = 1.959963984540054
BITS_PER_DIGIT = log2(10)


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One pattern on one layer, or on all of them: totals, and shares as properties.

    Attributes
    ----------
    name : str
        The layer's, or ``"all"``.
    pattern : Pattern
    weights, kept_weights : int
        How many weights there are, and the most that a mask keeps.
    tiles, partial_tiles, solved_tiles : int
        The m x m tiles, those at a ragged edge among them, and those that were solved.
    score, kept : float
        The total score, and what the optimum keeps of it (estimated where not every tile
        was solved).
    variance : float
        Of the estimate `kept`; 0 without sampling.
    proven : bool
        Whether every tile that was solved is proven optimal.
    plain, unstructured : float
        What plain N:M of the same n and m keeps, and what the layer's `kept_weights`
        largest scores add up to.
    log10_masks, log10_plain, log10_unstructured : float
        How many masks each of the three has, as logarithms.
    exact : bool
        Whether `log10_masks` is the exact count's (asymptotic otherwise).
    counted_weights : int
        The weights that `log10_masks` speaks of. Fewer than all where partial tiles have
        neither a count nor a formula; 0 where full tiles have none.
    row_slots, column_slots : int
        Weights that a sparse product along rows, and along columns, takes part in. For
        a plain pattern all weights take part along columns.
    dense_bits, value_bits, index_bits : int
        Bits of the dense weights, of the values in the slots of all rows, and of the numbers
        that say which of every m they are.
    """

    name: str
    pattern: Pattern
    weights: int
    kept_weights: int
    tiles: int
    partial_tiles: int
    solved_tiles: int
    score: float
    kept: float
    variance: float
    proven: bool
    plain: float
    unstructured: float
    log10_masks: float
    log10_plain: float
    log10_unstructured: float
    exact: bool
    counted_weights: int
    row_slots: int
    column_slots: int
    dense_bits: int
    value_bits: int
    index_bits: int

    @property
    def density(self) -> float:
        """Share of the weights that a mask keeps (at most)."""
        return self.kept_weights / self.weights

    @property
    def kept_share(self) -> float:
        """Share of the score that the optimum keeps; 1 if there is no score at all."""
        return _share(self.kept, self.score)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % normal interval of `kept_share`; None if every tile was solved."""
        if self.solved_tiles == self.tiles:
            return None
        half = NORMAL_95 * _share(sqrt(self.variance), self.score)
        return max(0.0, self.kept_share - half), min(1.0, self.kept_share + half)

    @property
    def plain_share(self) -> float:
        """Share of the score that plain N:M keeps."""
        return _share(self.plain, self.score)

    @property
    def unstructured_share(self) -> float:
        """Share of the score that the largest scores of each layer keep."""
        return _share(self.unstructured, self.score)

    @property
    def loss_to_plain(self) -> float:
        """Share of plain N:M's kept score that is lost."""
        return 1 - _share(self.kept, self.plain)

    @property
    def loss_to_unstructured(self) -> float:
        """Share of the unstructured kept score that is lost."""
        return 1 - _share(self.kept, self.unstructured)

    @property
    def mask_entropy(self) -> float | None:
        """Log2 of the number of masks, per weight that is counted; None if none is.

        No code for masks, all being alike likely, takes fewer bits on average.
        """
        if not self.counted_weights:
            return None
        return self.log10_masks * BITS_PER_DIGIT / self.counted_weights

    @property
    def plain_entropy(self) -> float:
        """Log2 of the number of plain masks, per weight."""
        return self.log10_plain * BITS_PER_DIGIT / self.weights

    @property
    def unstructured_entropy(self) -> float:
        """Log2 of the ways to keep any `kept_weights` of each layer, per weight."""
        return self.log10_unstructured * BITS_PER_DIGIT / self.weights

    @property
    def storage(self) -> dict[str, float | None]:
        """Bits per weight.

        ``dense``: as the weights are; ``values``: the kept ones; then four ways to say which
        these are: ``bitmap``, one bit a weight; ``index``, a number for every group of m;
        ``nvidia``, two bits a kept weight, None but for 2:4; ``entropy``, the least possible
        on average.
        """
        two_of_four = (self.pattern.n, self.pattern.m) == (2, 4)
        return {
            "dense": self.dense_bits / self.weights,
            "values": self.value_bits / self.weights,
            "bitmap": 1.0,
            "index": self.index_bits / self.weights,
            "nvidia": 2 * self.row_slots / self.weights if two_of_four else None,
            "entropy": self.mask_entropy,
        }

    @property
    def saved_forward(self) -> float:
        """Share of the multiply-adds of X W^T that a sparse product can skip."""
        return 1 - self.row_slots / self.weights

    @property
    def saved_backward(self) -> float:
        """Share of those of the input gradient, G W: 0 for a plain pattern."""
        return 1 - self.column_slots / self.weights

    @property
    def saved_training(self) -> float:
        """Share of a training step's three products, of which the weight gradient is dense."""
        return (self.saved_forward + self.saved_backward) / 3

    @property
    def hardware(self) -> tuple[Hardware, ...]:
        """Devices that take such masks today."""
        return hardware.runs_on(self.pattern)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON takes it."""
        totals = {field.name: getattr(self, field.name) for field in fields(self)}
        # In the order of the class; last the devices, which are records themselves.
        shares = [name for name, kind in vars(PlanRow).items() if isinstance(kind, property)]
        return {
            **totals,
            **{name: getattr(self, name) for name in shares},
            "pattern": str(self.pattern),
            "hardware": [device.to_dict() for device in self.hardware],
        }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def total_row(rows: Sequence[PlanRow]) -> PlanRow:
    """Add up the rows of one pattern; layers are sampled independently of each other."""
    merged: dict[str, Any] = {"name": "all", "pattern": rows[0].pattern}
    for field in fields(PlanRow)[2:]:
        values = [getattr(row, field.name) for row in rows]
        merged[field.name] = all(values) if field.name in ("proven", "exact") else sum(values)
    return PlanRow(**merged)
