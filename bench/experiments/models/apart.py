"""Functions in a process beside this one, which may take so long and so much memory."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Aside"]

LIMIT = 8 * 2**30
"""Bytes of data that such a process may hold."""


class Aside:
    """A process that calls functions one after the other: to load what they need takes long.

    It is ended by what takes too long, may be by what takes too much memory, and then begun anew.
    """

    def __init__(self) -> None:
        self._process: Any = None
        self._pipe: Any = None

    def call(
        self, function: Callable[..., Any], *arguments: Any, seconds: float
    ) -> tuple[Any, str]:
        """Call a function there.

        Returns
        -------
        answer : object or None
        why : str
            Why there is no answer: it took too long, or the process died.

        Raises
        ------
        Exception
            What the function raises.
        """
        self._start()
        try:
            self._pipe.send((function, arguments))
            if self._pipe.poll(seconds):
                answer, error = self._pipe.recv()
                if error is not None:
                    raise error
                return answer, ""
            why = f"no answer within {seconds:g} s"
        except (EOFError, ConnectionError):
            self._process.join()
            why = f"the process died with exit code {self._process.exitcode}"
        self.close()
        return None, why

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _start(self) -> None:
        if self._process is None:
            context = multiprocessing.get_context("spawn")  # forks and threads do not mix
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()


def _serve(pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((function(*arguments), None))
        except Exception as error:
            pipe.send((None, error))
