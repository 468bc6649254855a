"""The checkout against a commit: ``python -m masksolve.bench.against BASE``.

Solves 204 seeded problems with both builds and names those whose bytes differ; with ``--speed``
times the exact engine of both instead, in turn, a process each; with ``--calls`` what every
call costs where there is one tile or a few.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from contextlib import ExitStack
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from masksolve.errors import MasksolveError

from .build import HERE, Build, build_of, line_of

PATTERNS = ("2:4", "4:8", "8:16", "16:32")
GRIDS = ("float32", "bfloat16", "int8")
METHODS = ("greedy", "local_search", "entropic", "two_approx", "bi_nm", "best_random")
CALLS = ("solve", "certify", "repair", *METHODS)
SMALL = (("16", "8:16"), ("64", "4:8"))


class Race(NamedTuple):
    """What to time, and how to show it."""

    file: str
    title: str
    columns: tuple[str, ...]
    cells: list[tuple[str, ...]]
    unit: str
    scale: float


SPEED = Race(
    "speed.py",
    "4096 x 4096, proofs included, medians",
    ("pattern", "weights"),
    [(pattern, grid) for grid in GRIDS for pattern in PATTERNS],
    "ms",
    1e3,
)
SMALL_CALLS = Race(
    "calls.py",
    "one tile or a few, on one thread: CPU time, medians",
    ("call", "side", "pattern", "weights"),
    [
        *((call, *small, "float32") for small in SMALL for call in CALLS),
        *(("solve", *small, dtype) for small in SMALL for dtype in ("float64", "bfloat16")),
    ],
    "us",
    1e6,
)


def same(here: Build, base: Build, console: Console) -> bool:
    """Solve the problems with both, and tell whether all bytes are the same."""
    running = [build.start(HERE / "problems.py") for build in (here, base)]
    mine, theirs = (json.loads(line_of(process.stdout)) for process in running)
    differ = [name for name in mine if mine[name] != theirs.get(name)]
    for name in differ:
        console.print(f"differs: {name}")
    console.print(f"{len(mine) - len(differ)} of {len(mine)} problems give the same bytes")
    return not differ


def speed(here: Build, base: Build, race: Race, rounds: int, console: Console) -> None:
    """Time both in turn, so that what else the machine does meets both alike."""
    running = [build.start(HERE / race.file) for build in (here, base)]

    def seconds(cell: tuple[str, ...]) -> list[float]:
        found = []
        for process in running:
            assert process.stdin is not None
            print(*cell, file=process.stdin, flush=True)
            found.append(float(line_of(process.stdout)))
        return found

    table = Table(title=race.title, title_justify="left")
    figures = (f"here, {race.unit}", f"base, {race.unit}", "ratio", "quartiles")
    for k, column in enumerate((*race.columns, *figures)):
        table.add_column(column, justify="right" if k else "left")
    for cell in track(race.cells, "timing", console=console, transient=True):
        seconds(cell)  # compiles, or loads
        pairs = [seconds(cell) for _ in range(rounds)]
        ratios = [mine / theirs for mine, theirs in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        medians = (race.scale * statistics.median(times) for times in zip(*pairs, strict=True))
        table.add_row(
            *cell,
            *(f"{median:.1f}" for median in medians),
            f"{middle:.3f}",
            f"{low:.3f} to {high:.3f}",
        )
    console.print(table)
    for process in running:
        process.communicate()


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(prog="python -m masksolve.bench.against", description=__doc__)
    parser.add_argument("base", help="a commit")
    parser.add_argument("--speed", action="store_true", help="how fast, not whether the same")
    parser.add_argument("--calls", action="store_true", help="what small calls cost, likewise")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    console = Console(width=100, highlight=False)
    try:
        with ExitStack() as stack:
            here, base = (stack.enter_context(build_of(c)) for c in (None, options.base))
            if options.speed or options.calls:
                race = SPEED if options.speed else SMALL_CALLS
                speed(here, base, race, options.rounds, console)
            elif not same(here, base, console):
                sys.exit(1)
    except MasksolveError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
