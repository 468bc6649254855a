"""Arguments, and one line for whatever goes wrong.

Exit codes: 0 done, 1 the answer is "no", 2 bad input or usage.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from masksolve.cli import check, methods, solve
from masksolve.errors import MasksolveError

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaint on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        The exit code.
    """
    from masksolve import __version__

    parser = _Parser(
        prog="masksolve", description="Exact, proven N:M and transposable N:M sparsity masks."
    )
    parser.add_argument("--version", action="version", version=f"masksolve {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (solve, check, methods):
        module.add_commands(commands)
    options = parser.parse_args(arguments)
    # Unwind on a polite kill too, so that nothing is left half-written.
    signal.signal(signal.SIGTERM, _stop)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except MasksolveError as error:
        print(f"masksolve: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("masksolve: interrupted, nothing written", file=sys.stderr)
        return 130
    except OSError as error:  # of stdout: files report theirs as FileFormatError
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader went away: not our failure
            return 0
        print(f"masksolve: cannot print: {error.strerror or error}", file=sys.stderr)
        return 2
    return code


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
