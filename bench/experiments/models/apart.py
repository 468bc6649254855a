"""A function in a process of its own, which may take so long and so much memory."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["LIMIT", "apart"]

LIMIT = 6 * 2**30
"""Bytes of data that such a process may hold."""
PRELOADED = ["masksolve.bench.experiments.models.ways"]
"""Imported once, by the server that all such processes are forked from."""


def apart(function: Callable[..., Any], *arguments: Any, seconds: float) -> tuple[Any, str]:
    """Call a function in a new process.

    Returns
    -------
    answer : object or None
    why : str
        Why there is no answer: it took too long, died or raised an error.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            return None, f"no answer within {seconds:g} s"
        answer, why = ours.recv()
        return answer, why
    except (EOFError, ConnectionResetError):
        process.join()
        return None, f"the process died with exit code {process.exitcode}"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.join()
        ours.close()


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    try:
        pipe.send((function(*arguments), ""))
    except Exception as error:
        pipe.send((None, f"{type(error).__name__}: {error}"))
