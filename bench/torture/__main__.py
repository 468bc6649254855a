"""Hard treatment of solver and command: `make torture`.

Random problems against HiGHS; the command killed, its files damaged, its disk full, its input
rewritten, its output wanted by others, its compiled kernels spoilt. All is drawn from the seed;
for a failure the command that repeats its round is printed, as near as the moments of signals
allow. Exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..pages.table import Table, show
from .kinds import KINDS
from .rounds import Torture

__all__ = ["main"]

MINUTE = 60.0


def main() -> None:
    """Torture, and print what came of it."""
    options = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # what was ignored would be by commands, too
        signal.signal(number, signal.default_int_handler)
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def tell(said: str) -> None:
        console.print(said, markup=False)

    torture = Torture(
        options.seed, options.kinds, command=options.command, tell=tell, keep=options.keep
    )
    try:
        if options.round is not None:
            for kind in options.kinds:
                torture.round(kind, options.round)
        else:
            _run(torture, MINUTE * options.minutes, console)
    except KeyboardInterrupt:
        tell("interrupted")
    show([_table(torture)], Console(width=100, highlight=False))
    sys.exit(1 if torture.failed else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="default: 5")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    said = ", ".join(f"{letter} {kind.title}" for letter, kind in KINDS.items())
    parser.add_argument(
        "--kinds", type=_kinds, default=list(KINDS), metavar="a,b", help=f"{said}; default: all"
    )
    parser.add_argument("--round", type=int, metavar="K", help="that round alone of each kind")
    parser.add_argument(
        "--command", type=Path, metavar="FILE.py", help="its main instead of masksolve's"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where to leave the files of what failed"
    )
    return parser


def _kinds(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= set(KINDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form a,b: {','.join(KINDS)}")
    return found


def _run(torture: Torture, seconds: float, console: Console) -> None:
    """Do rounds until the time is over, with a bar on a terminal, else a line a minute."""
    columns = (TextColumn("{task.description:<40}", markup=False), BarColumn(), TimeElapsedColumn())
    began = told = time.monotonic()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=seconds)
        while (passed := time.monotonic() - began) < seconds:
            kind = torture.next_kind()
            said = f"{KINDS[kind].title}: round {torture.counts[kind].rounds}"
            bar.update(task, completed=passed, description=said)
            torture.round(kind)
            if not console.is_terminal and time.monotonic() - told >= MINUTE:
                told = time.monotonic()
                console.print(f"{(told - began) / MINUTE:.0f} min: {_so_far(torture)}")


def _so_far(torture: Torture) -> str:
    found = torture.counts.values()
    rounds, checks, failures = (
        sum(getattr(counts, key) for counts in found) for key in ("rounds", "checks", "failures")
    )
    return f"{rounds} rounds, {checks} checks, {failures} failures"


def _table(torture: Torture) -> Table:
    head = "kind | rounds | checks | passed over | failures"
    rows = [
        f"{kind} {KINDS[kind].title} | {one.rounds} | {one.checks} | "
        f"{one.passed_over.total()} | {one.failures}"
        for kind, one in torture.counts.items()
    ]
    return Table(f"seed {torture.seed}", head, rows=rows)


if __name__ == "__main__":
    main()
