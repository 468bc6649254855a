"""The result file: every number of the report, and where it was measured.

One JSON object with the keys of `Results`; lists of flat records, so that pandas reads
them as they are. Times are seconds, memory is bytes, losses and shares are in [0, 1].
A record of what did not run has a ``status`` other than "ok" and a ``reason``, and None
for what was not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from masksolve.errors import FileFormatError
from masksolve.storage.atomic import whole_file

from .pages.findings import significant

__all__ = [
    "FORMAT",
    "QUANTILES",
    "Agreement",
    "CaseRecord",
    "ContestantRecord",
    "Outcome",
    "Quality",
    "Results",
    "Status",
    "Timed",
    "Timing",
    "Training",
    "blank",
    "load_results",
    "save_results",
]

FORMAT = "masksolve comparison 1"
"""First entry of a result file."""
RecordT = TypeVar("RecordT")
QUANTILES = (0.0, *(k / 20 for k in range(1, 20)), 0.99, 1.0)
"""Where the distribution of a loss over tiles is recorded."""

Status = Literal["ok", "missing", "cut off", "too slow", "failed", "invalid", "does not fit"]
"""How it went: "missing" lacks a module, "cut off" passed the time limit and was killed,
"too slow" would have, going by a smaller size, "failed" raised or died, "invalid" kept more
than n in some line, "does not fit" does not take the pattern."""


class Outcome(TypedDict):
    """What every record says."""

    contestant: str
    status: Status
    reason: str  # one sentence; empty if ok


class Timed(Outcome):
    """What was timed by pyperf, one value a round, in turn with the others."""

    seconds: list[float]  # of one call, or of one step of training
    loops: int | None  # calls per value
    median: float | None
    spread: float | None  # half the interquartile range


class Timing(Timed):
    """How long one matrix took."""

    section: Literal["size", "pattern", "cores"]  # which curve it belongs to
    case: str
    pattern: str  # "4:8"
    rows: int
    columns: int
    tiles: int
    cores: int
    peak_bytes: int | None  # most memory that a call added, input aside


class Quality(Outcome):
    """How good the masks were on a case; every tile against its proven optimum."""

    case: str
    pattern: str
    tiles: int  # the first so many of the case, fewer for the slow
    proven: bool  # whether every optimum was proven
    optimum: float | None  # kept score of the optima
    kept: float | None
    loss_mean: float | None  # of 1 - kept / optimum over tiles
    loss_worst: float | None
    loss_quantiles: list[float] | None  # at QUANTILES; 0 for tiles at the optimum
    at_optimum: float | None  # share of tiles within 1e-6
    kept_ratio_worst: float | None  # smallest kept / optimum of a tile
    pruned_ratio_worst: float | None  # largest pruned / optimum's pruned of a tile
    short_lines: float | None  # share of lines that hold fewer than n
    rows_valid: bool | None  # no row of a tile holds more than n
    columns_valid: bool | None


class Agreement(Outcome):
    """Whether an exact method reached the proven optimum of every tile."""

    case: str
    pattern: str
    tiles: int
    agreeing: int | None  # tiles within 1e-6 of the optimum
    largest_loss: float | None


class Training(Timed):
    """A small real training loop that renews its masks every so many steps."""

    pattern: str
    every: int | None  # steps between renewals; None: never
    overhead: float | None  # of a step, over one that never renews: 0.14 is 14 %


class ContestantRecord(Outcome):
    """Who took part."""

    ours: bool
    exact: bool
    takes: str
    reference: str
    guarantee: str  # empty for rivals
    quirks: str


class CaseRecord(TypedDict):
    """What was solved."""

    case: str
    description: str
    status: Status
    reason: str


class Results(TypedDict):
    """The whole file."""

    format: str  # FORMAT
    machine: dict[str, Any]  # cpu, cores, memory, platform, commit, date
    versions: dict[str, str]  # of Python and of every package that took part
    settings: dict[str, Any]  # size, seed, limits, rounds
    contestants: list[ContestantRecord]
    cases: list[CaseRecord]
    timings: list[Timing]
    quality: list[Quality]
    agreement: list[Agreement]
    training: list[Training]


def blank(kind: type[RecordT], **known: Any) -> RecordT:
    """Return a record of which only so much is known: all is well, and nothing was measured."""
    found: Any = dict.fromkeys(kind.__annotations__) | {"status": "ok", "reason": ""} | known
    return found  # type: ignore[no-any-return]


def save_results(results: Results, path: Path) -> None:
    """Write a result file, one record a line; it appears whole or not at all.

    Raises
    ------
    FileFormatError
        If it cannot be written.
    """
    data = ("\n".join(_lines(results)) + "\n").encode()
    with whole_file(path, len(data)) as file:
        file.write(data)


def _lines(results: Results) -> Iterator[str]:
    """One line a record: small, and kind to those who compare files by eye."""
    yield "{"
    last = list(results)[-1]
    for key, value in results.items():
        end = "" if key == last else ","
        if isinstance(value, list):
            records = [json.dumps(_short(record), allow_nan=False) for record in value]
            yield f"{json.dumps(key)}: ["
            yield ",\n".join(records)
            yield f"]{end}"
        else:
            yield f"{json.dumps(key)}: {json.dumps(_short(value))}{end}"
    yield "}"


def _short(value: Any) -> Any:
    """Keep six digits: more than any of these figures has."""
    if isinstance(value, float):
        return significant(value, 6)
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_short(entry) for entry in value]
    return value


def load_results(path: Path) -> Results:
    """Read a result file.

    Raises
    ------
    FileFormatError
        If it is missing or is none.
    """
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:  # also what is not text
        raise FileFormatError(f"{path} is no result file: expected JSON") from None
    keys = get_type_hints(Results)
    if not isinstance(found, dict) or found.get("format") != FORMAT or set(keys) - set(found):
        raise FileFormatError(
            f"{path} is no result file: expected one that masksolve bench wrote ({FORMAT!r})"
        )
    for key, kind in keys.items():
        if not _holds(found[key], kind):
            raise FileFormatError(f"{path} is damaged: its {key} are not what they should be")
    return found  # type: ignore[return-value]


def _holds(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a field's kind; of a record only its keys are looked at."""
    if get_origin(kind) is not list:
        return isinstance(value, get_origin(kind) or kind)
    (record,) = get_args(kind)
    return isinstance(value, list) and all(
        isinstance(entry, dict) and not set(record.__annotations__) - set(entry) for entry in value
    )
