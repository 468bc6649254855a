"""The build at hand against another: ``python -m masksolve.bench.against BASE``.

BASE is a commit, or a folder that holds ``masksolve/``. Solves 204 seeded problems with both
builds and names those whose masks differ; with ``--speed``, ``--calls`` or ``--only`` times both
instead, in turn, a process each. A ratio of 2 is twice as fast here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from masksolve.errors import MasksolveError

from ..machine import machine, versions
from ..pages.findings import OUTPUT, cores_of, save
from .build import HERE, Build, build_of, line_of
from .groups import CALLS, GROUPS, SPEED
from .race import race
from .racers import Process

PROBLEMS = HERE / "problems.py"
SAME = "the same bytes"
SAME_MASKS = "the same masks, by other potentials or stages"
AS_GOOD = "other masks that keep as much"
DIFFERENT = "other masks"
EQUAL = 1e-12
"""Kept scores that differ by such a share are sums of the same scores, or of equal ones."""


def same(here: Build, base: Build, console: Console) -> bool:
    """Solve the problems with both; tell whether masks are the same, or as good where they tie."""
    running = [build.start(PROBLEMS) for build in (here, base)]
    mine, theirs = (json.loads(line_of(process.stdout)) for process in running)
    found = Counter(compare(name, mine[name], theirs.get(name), console) for name in mine)
    for kind, number in found.items():
        console.print(f"{number} of {len(mine)} problems: {kind}")
    return DIFFERENT not in found


def compare(name: str, mine: Sequence[Any], theirs: Sequence[Any] | None, console: Console) -> str:
    """Say what two builds' answers have in common; name the problem if masks differ."""
    if theirs is None:
        console.print(f"{DIFFERENT}: {name}, which the other build does not solve")
        return DIFFERENT
    masks, rest, score = mine
    if masks == theirs[0]:
        return SAME if rest == theirs[1] else SAME_MASKS
    apart = abs(score - theirs[2])
    kind = AS_GOOD if score and apart <= EQUAL * abs(score) else DIFFERENT
    console.print(f"{kind}: {name}, kept scores {apart:.3g} of {score:.6g} apart")
    return kind


def fast(
    here: Build, base: Build, names: Sequence[str], rounds: int, out: Path, console: Console
) -> None:
    """Race groups of calls, one after the other, and keep what was found after each."""
    found: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(["numpy", "numba"]),
        "here": here.name,
        "base": base.name,
        "rounds": rounds,
        "runs": [],
    }
    console.print(f"on {cores_of(found['machine'])}", f"here: {here.name}", sep="\n")
    console.print(f"base: {base.name}", f"rounds: {rounds}", sep="\n")
    ours, theirs = Process(here), Process(base)
    for name in names:
        runs = race(GROUPS[name], ours, theirs, rounds, console)
        found["runs"] += [{"group": name, **run} for run in runs]
        save(found, out)
    console.print(f"\nwrote {out}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m masksolve.bench.against", description=__doc__)
    parser.add_argument("base", help="a commit, or a folder that holds masksolve/")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--speed",
        action="store_const",
        dest="groups",
        const=list(SPEED),
        help="how fast, not whether the same",
    )
    which.add_argument(
        "--calls",
        action="store_const",
        dest="groups",
        const=list(CALLS),
        help="what small calls cost, likewise",
    )
    which.add_argument(
        "--only",
        nargs="+",
        dest="groups",
        choices=list(GROUPS),
        metavar="GROUP",
        help=f"some of these alone: {', '.join(GROUPS)}",
    )
    parser.add_argument("--rounds", type=int, default=15, help="values of each call")
    parser.add_argument("--out", type=Path, default=OUTPUT / "against.json", help="for all times")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds must be at least 2: one value has no spread")
    return options


def main() -> None:
    """Compare."""
    options = arguments()
    console = Console(width=100, highlight=False)
    try:
        with ExitStack() as stack:
            here, base = (stack.enter_context(build_of(c)) for c in (None, options.base))
            if options.groups:
                fast(here, base, options.groups, options.rounds, options.out, console)
            elif not same(here, base, console):
                sys.exit(1)
    except MasksolveError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
