"""Arguments, and one line for whatever goes wrong.

Exit codes: 0 done, 1 the answer is "no", 2 bad input or usage.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from masksolve.cli import apply, bench, check, methods, plan, solve
from masksolve.cli.common import one_line
from masksolve.errors import MasksolveError

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaint on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


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
    for module in (solve, apply, check, plan, methods, bench):
        module.add_commands(commands)
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):  # names in any script, on any terminal
        sys.stdout.reconfigure(errors="backslashreplace")
    options = parser.parse_args(arguments)
    try:
        with _polite_kills(), warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = _warn  # type: ignore[assignment]
            code: int = options.run(options)
            sys.stdout.flush()
    except MasksolveError as error:
        print(f"masksolve: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"masksolve: interrupted, {one_line(stop) or 'nothing written'}", file=sys.stderr)
        return 130
    except OSError as error:  # of stdout: files report theirs as FileFormatError
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader went away: not our failure
            return 0
        print(f"masksolve: cannot print: {error.strerror or error}", file=sys.stderr)
        return 2
    return code


def _warn(message: Warning | str, *context: Any) -> None:
    print(f"masksolve: {one_line(message)}", file=sys.stderr)


@contextmanager
def _polite_kills() -> Iterator[None]:
    """Unwind when asked to stop, so that nothing is left half-written."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What whoever started us had ignored, as nohup does, stays ignored.
    before = {n: h for n in numbers if (h := signal.getsignal(n)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
