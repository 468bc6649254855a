"""Arguments, and one line for whatever goes wrong.

Exit codes: 0 done, 1 the answer is "no", 2 bad input or usage.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from types import FrameType
from typing import Any, NoReturn, TextIO

from masksolve.cli import apply, bench, check, evaluate, methods, plan, prune, solve
from masksolve.cli.common import one_line
from masksolve.cli.tensors import joined_axes
from masksolve.compiling import saying_so
from masksolve.errors import MasksolveError

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """argparse, with its complaint on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


class _CannotPrint(OSError):
    """Stdout takes nothing."""


class _Stdout:
    """Stdout, whose failures are told from those of anything else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Print."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _CannotPrint(error.errno, error.strerror) from None

    def flush(self) -> None:
        """Have all printed that was written."""
        try:
            self._stream.flush()
        except OSError as error:
            raise _CannotPrint(error.errno, error.strerror) from None


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
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):  # names in any script, on any terminal
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with (
            _polite_signals(),
            redirect_stdout(_Stdout(sys.stdout)),
            warnings.catch_warnings(),
            saying_so(),
        ):
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ResourceWarning)  # Ctrl-C may come before a `with`
            warnings.showwarning = _warn  # type: ignore[assignment]
            given = sys.argv[1:] if arguments is None else arguments
            options = _parser().parse_args(joined_axes(given))
            code: int = options.run(options)
            sys.stdout.flush()
    except MasksolveError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt as stop:
        _say(f"interrupted, {str(stop) or 'nothing written'}")
        return 130
    except _CannotPrint as error:
        # Nothing is to try again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:  # the reader went away: not our failure
            return 0
        _say(f"cannot print: {error.strerror}")
        return 2
    except OSError as error:  # files that are asked for report theirs as FileFormatError
        what = error.strerror or str(error)
        _say(f"{what}: {error.filename}" if error.filename else f"the system says: {what}")
        return 2
    return code


def _parser() -> _Parser:
    from masksolve import __version__

    parser = _Parser(
        prog="masksolve", description="Exact, proven N:M and transposable N:M sparsity masks."
    )
    parser.add_argument("--version", action="version", version=f"masksolve {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (solve, apply, check, plan, prune, evaluate, methods, bench):
        module.add_commands(commands)
    return parser


def _say(line: str) -> None:
    with suppress(OSError, AttributeError):  # nobody listens: the exit code says it
        print(f"masksolve: {one_line(line)}", file=sys.stderr)


def _warn(message: Warning | str, *context: Any) -> None:
    _say(str(message))


@contextmanager
def _polite_signals() -> Iterator[None]:
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
    heard, sys.unraisablehook = sys.unraisablehook, partial(_again, sys.unraisablehook)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as `masksolve.__main__` leaves it
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = heard


def _again(otherwise: Callable[[Any], object], what: sys.UnraisableHookArgs) -> None:
    """Have a signal come again that fell into a callback, where Python drops exceptions."""
    stop = what.exc_value
    if isinstance(stop, KeyboardInterrupt):
        number = int(signal.SIGINT)
    elif isinstance(stop, SystemExit) and isinstance(stop.code, int) and stop.code > 128:
        number = stop.code - 128
    else:
        otherwise(what)
        return
    # By the system, to the process: a thread that sleeps is woken by nothing less.
    threading.Timer(0.01, os.kill, (os.getpid(), number)).start()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
