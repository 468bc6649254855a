"""The command under torture: started, given signals, and what it said in the end."""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

__all__ = ["Command", "Ended", "Running"]

BOUND = 60.0
"""Seconds that a command may take: the work of each is a fraction of one."""
READY = b"\0"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int or None
        Negative: the signal that ended it; None: it had to be ended, after `BOUND`.
    said : str
        On stderr.
    """

    code: int | None
    said: str


class _Process(Protocol):
    """What processes of both kinds have."""

    @property
    def pid(self) -> int | None:
        """The number by which the system knows it."""


class Running:
    """A command at work, and the end of the pipe that is its stderr.

    Attributes
    ----------
    over : bool
        Whether somebody has waited for its end.
    """

    def __init__(self, process: _Process, pipe: int, join: Callable[[], int | None]) -> None:
        self._process = process
        self._pipe = pipe
        self._join = join
        self.over = False

    def send(self, number: int) -> None:
        """Send a signal, if it is still there."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def wait(self, seconds: float | None = None) -> Ended:
        """Wait for its end, which is brought about where it does not come in so many seconds."""
        said, late = self._listen(seconds or BOUND)
        if late:
            self.send(signal.SIGKILL)
        code = self._join()
        os.close(self._pipe)
        self.over = True
        return Ended(None if late else code, said)

    def stop(self) -> None:
        """End it, if nobody has waited for that."""
        if not self.over:
            self.send(signal.SIGKILL)
            self.wait()

    def _listen(self, seconds: float) -> tuple[str, bool]:
        """Read stderr to its end; tell too whether it did not come."""
        content, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._pipe], [], [], left)[0]:
                part = os.read(self._pipe, 1 << 16)
                if not part:
                    return content.decode(errors="replace"), False
                content += part
        return content.decode(errors="replace"), True


class Command:
    """The command of masksolve, or another to put in its place.

    Parameters
    ----------
    file : Path, optional
        A Python file with a function ``main`` that takes the place of masksolve's, and calls
        it where it is run as a program.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._running: list[Running] = []
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([f"{__package__}.preload"])

    def start(self, *arguments: str | Path, limit: int | None = None) -> Running:
        """Start the command, forked from a process that has all imported.

        Parameters
        ----------
        arguments : str or Path
        limit : int, optional
            Bytes that a file may grow to: beyond that it meets what a full disk is.
        """
        reader, writer = self._context.Pipe(duplex=False)
        given = (self._file, tuple(map(str, arguments)), limit, writer)
        process = self._context.Process(target=_work, args=given)
        with _no_main():
            process.start()
        writer.close()
        pipe = os.dup(reader.fileno())
        reader.close()
        os.read(pipe, len(READY))  # or nothing, where it ended before

        def join() -> int | None:
            process.join()
            return process.exitcode

        return self._kept(Running(process, pipe, join))

    def start_fresh(
        self, *arguments: str | Path, limit: int | None = None, **environment: str
    ) -> Running:
        """Start it as anybody does, with an environment of its own."""
        program = ["-m", "masksolve"] if self._file is None else [str(self._file)]
        process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=None if limit is None else lambda: _limit(limit),
        )
        assert process.stderr is not None
        pipe = os.dup(process.stderr.fileno())
        process.stderr.close()
        return self._kept(Running(process, pipe, process.wait))

    def _kept(self, running: Running) -> Running:
        self._running = [one for one in self._running if not one.over] + [running]
        return running

    def stop(self) -> None:
        """End all that was started and not waited for: a round was interrupted."""
        for running in self._running:
            running.stop()

    def run(self, *arguments: str | Path, **options: Any) -> Ended:
        """Start it and wait for its end."""
        return self.start(*arguments, **options).wait()


@contextmanager
def _no_main() -> Iterator[None]:
    """Hide who we are: a process would import that again, pytest say, before it begins."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _limit(nbytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, nbytes))


def _work(
    file: Path | None, arguments: tuple[str, ...], limit: int | None, pipe: Connection
) -> None:
    """Be the command, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as `masksolve.__main__` leaves it
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    os.dup2(pipe.fileno(), 2)
    pipe.close()
    if limit is not None:
        _limit(limit)
    main = _find_main(file)
    os.write(2, READY)
    sys.exit(main(list(arguments)))


def _find_main(file: Path | None) -> Callable[[list[str]], int]:
    if file is not None:
        main: Callable[[list[str]], int] = runpy.run_path(str(file))["main"]
        return main
    from masksolve.cli.main import main as ours

    return ours
