"""The checkout against a commit: ``python -m masksolve.bench.against BASE``.

Solves 204 seeded problems with both builds and names those whose bytes differ; with ``--speed``
times the exact engine of both instead, in turn, a process each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from contextlib import ExitStack

from rich.console import Console
from rich.progress import track
from rich.table import Table

from masksolve.errors import MasksolveError

from .build import HERE, Build, build_of, line_of

PATTERNS = ("2:4", "4:8", "8:16", "16:32")
GRIDS = ("float32", "bfloat16", "int8")


def same(here: Build, base: Build, console: Console) -> bool:
    """Solve the problems with both, and tell whether all bytes are the same."""
    running = [build.start(HERE / "problems.py") for build in (here, base)]
    mine, theirs = (json.loads(line_of(process.stdout)) for process in running)
    differ = [name for name in mine if mine[name] != theirs.get(name)]
    for name in differ:
        console.print(f"differs: {name}")
    console.print(f"{len(mine) - len(differ)} of {len(mine)} problems give the same bytes")
    return not differ


def speed(here: Build, base: Build, rounds: int, console: Console) -> None:
    """Time both in turn, so that what else the machine does meets both alike."""
    running = [build.start(HERE / "speed.py") for build in (here, base)]

    def seconds(pattern: str, grid: str) -> list[float]:
        found = []
        for process in running:
            assert process.stdin is not None
            print(pattern, grid, file=process.stdin, flush=True)
            found.append(float(line_of(process.stdout)))
        return found

    table = Table(title="4096 x 4096, proofs included, medians", title_justify="left")
    for column in ("pattern", "weights", "here, ms", "base, ms", "ratio", "quartiles"):
        table.add_column(column, justify="right" if column != "pattern" else "left")
    cells = [(pattern, grid) for grid in GRIDS for pattern in PATTERNS]
    for pattern, grid in track(cells, "timing", console=console, transient=True):
        seconds(pattern, grid)  # compiles, or loads
        pairs = [seconds(pattern, grid) for _ in range(rounds)]
        ratios = [mine / theirs for mine, theirs in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        medians = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
        table.add_row(
            pattern,
            grid,
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
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    console = Console(width=100, highlight=False)
    try:
        with ExitStack() as stack:
            here, base = (stack.enter_context(build_of(c)) for c in (None, options.base))
            if options.speed:
                speed(here, base, options.rounds, console)
            elif not same(here, base, console):
                sys.exit(1)
    except MasksolveError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
