"""What the results say: who took part, which record belongs where, who beats whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from ..pages.words import TOLERANCE
from ..results import Agreement, ContestantRecord, Quality, Results, Timing, Training, blank

__all__ = ["REFERENCE", "Facts", "first", "key_of", "per_tile", "shape"]

REFERENCE = "exact"
"""The method that all others are compared with."""

MAIN = ("2:4", "4:8", "8:16", "16:32")
HEADLINE = "8:16"

Record = TypeVar("Record", Timing, Quality, Agreement, Training)


def key_of(pattern: str) -> tuple[int, int]:
    """Order patterns by M, then N."""
    n, m = pattern.split(":")
    return int(m), int(n)


def shape(record: Timing) -> str:
    """Write the size of a record's matrix."""
    return f"{record['rows']} x {record['columns']}"


def per_tile(record: Timing | None) -> float | None:
    """Divide a time by its tiles, since slow contestants get fewer."""
    if record is None or record["median"] is None:
        return None
    return record["median"] / record["tiles"]


def first(records: Iterable[Record], name: str, **fields: Any) -> Record | None:
    """Find the contestant's record with those fields; one that ran, if any did."""
    found = [
        record
        for record in records
        if record["contestant"] == name
        and all(record.get(key) == value for key, value in fields.items())
    ]
    return min(found, key=lambda record: record["status"] != "ok", default=None)


class Facts:
    """The results, ready to be asked.

    Attributes
    ----------
    names : list of str
        Every contestant, in the order of all tables: `REFERENCE`, ours, the others.
    patterns : list of str
        Every pattern that occurs anywhere; `main` are those of the pictures, `headline` is
        that of the summary.
    case : str
        The case whose times and losses are set against each other.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.timings = results["timings"]
        self.quality = results["quality"]
        self.agreement = results["agreement"]
        self.training = results["training"]

    @cached_property
    def contestants(self) -> dict[str, ContestantRecord]:
        """Every contestant's record by name, made up for those that have none."""
        listed = {record["contestant"]: record for record in self.results["contestants"]}
        # What only ever ran a loop without renewals is no contestant, but the dense loop.
        trained = [record for record in self.training if record["every"] is not None]
        for record in (*self.timings, *self.quality, *self.agreement, *trained):
            listed.setdefault(record["contestant"], _unlisted(record["contestant"]))
        return dict(
            sorted(listed.items(), key=lambda item: (item[0] != REFERENCE, not item[1]["ours"]))
        )

    @cached_property
    def names(self) -> list[str]:
        """Every contestant's name, in the order of all tables."""
        return list(self.contestants)

    def ours(self, name: str) -> bool:
        """Say whether it is a method of masksolve."""
        return self.contestants[name]["ours"]

    @cached_property
    def cases(self) -> list[str]:
        """Every case, in the order of the file."""
        records = (*self.results["cases"], *self.timings, *self.quality, *self.agreement)
        return list(dict.fromkeys(record["case"] for record in records))

    @cached_property
    def patterns(self) -> list[str]:
        """Every pattern, small ones first."""
        records = (*self.timings, *self.quality, *self.agreement, *self.training)
        return sorted({record["pattern"] for record in records}, key=key_of)

    @cached_property
    def main(self) -> list[str]:
        """At most four patterns for the pictures."""
        return [pattern for pattern in MAIN if pattern in self.patterns] or self.patterns[:4]

    @cached_property
    def headline(self) -> str | None:
        """The pattern of the summary."""
        if HEADLINE in self.patterns:
            return HEADLINE
        return self.main[-1] if self.main else None

    @cached_property
    def case(self) -> str | None:
        """The case with most times per tile, if there is one."""
        counts = Counter(
            record["case"]
            for record in self.timings
            if record["section"] == "pattern" and record["status"] == "ok"
        )
        if counts:
            return counts.most_common(1)[0][0]
        return self.quality[0]["case"] if self.quality else None

    def timed(self, section: str) -> list[Timing]:
        """List the timings of a section."""
        return [record for record in self.timings if record["section"] == section]

    def dense(self, pattern: str) -> Training | None:
        """Find the training loop that has no masks: the one of no contestant."""
        rest = (r for r in self.training if r["every"] is None and r["pattern"] == pattern)
        return next((r for r in rest if r["contestant"] not in self.contestants), None)

    def tile(self, name: str, pattern: str) -> Timing | None:
        """Find the contestant's time per tile of a pattern."""
        return first(self.timed("pattern"), name, pattern=pattern, case=self.case)

    def loss(self, name: str, pattern: str) -> float | None:
        """Find the mean loss on the case whose times are shown; 0 below the tolerance.

        Masks that break the pattern have none.
        """
        record = first(self.quality, name, pattern=pattern, case=self.case)
        mean = record["loss_mean"] if record and record["status"] == "ok" else None
        return 0.0 if mean is not None and abs(mean) <= TOLERANCE else mean

    def beside(
        self, records: Sequence[Record], value: Callable[[Record], float | None], *cell: str
    ) -> list[tuple[Record, Record]]:
        """Pair what beats `REFERENCE` in its cell with the reference's record.

        A cell is the records that agree in the fields `cell`; smaller values are better.
        """

        def place(record: Record) -> tuple[Any, ...]:
            return tuple(record.get(field) for field in cell)

        references = {
            place(record): record for record in records if record["contestant"] == REFERENCE
        }
        pairs = []
        for record in records:
            reference = references.get(place(record))
            if reference is None or record is reference:
                continue
            theirs, ours = value(record), value(reference)
            if theirs is not None and ours is not None and theirs < ours:
                pairs.append((record, reference))
        return pairs


def _unlisted(name: str) -> ContestantRecord:
    said = dict.fromkeys(("takes", "reference", "guarantee", "quirks"), "")
    return blank(ContestantRecord, contestant=name, ours=False, exact=False, **said)
