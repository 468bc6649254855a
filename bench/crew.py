"""The workers as the parent sees them: ask, wait so long, or put an end to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .machine import all_cores
from .registry import Contestant
from .results import Status

__all__ = ["START_LIMIT", "Crew", "Failure"]

START_LIMIT = 60.0
"""Seconds for a worker to import what it needs: on a busy machine torch takes long."""
PATIENCE = 3
"""A contestant whose process had to be ended, or died, so often is not asked again."""


class Failure(Exception):
    """An answer that did not come, as a record's status and reason."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


class _Member:
    """One contestant's process."""

    def __init__(self, contestant: Contestant, files: Sequence[Path], cores: int) -> None:
        from .worker import serve

        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, contestant.name, files), daemon=True
        )
        with _on_cores(cores):
            self.process.start()
        theirs.close()
        self.receive(START_LIMIT)

    def receive(self, limit: float) -> Any:
        """Wait for an answer; kill the process if none comes in time."""
        try:
            if not self.pipe.poll(limit):
                self.kill()
                raise Failure("cut off", f"no answer within {limit:g} s")
            status, answer = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise Failure("failed", f"its process died with {how}") from None
        if status == "failed":
            raise Failure("failed", answer)
        return answer

    def kill(self) -> None:
        """End the process and its children."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()
        self.process.join()


class Crew:
    """Every contestant's process, started when first asked.

    Parameters
    ----------
    files : sequence of Path
        Where users' contestants are defined.
    limit : float
        Seconds for an answer.
    """

    def __init__(self, files: Sequence[Path], limit: float) -> None:
        self.files, self.limit = files, limit
        self.members: dict[tuple[str, int], _Member] = {}
        self._lost: dict[str, list[Failure]] = {}

    def ask(
        self,
        contestant: Contestant,
        command: str,
        *arguments: object,
        cores: int | None = None,
        limit: float | None = None,
    ) -> Any:
        """Have a contestant's worker do something, within a limit other than the usual.

        Raises
        ------
        Failure
            If it raised, died, or took too long and was killed.
        """
        name = contestant.name
        lost = self._lost.setdefault(name, [])
        if len(lost) >= PATIENCE:
            why = f"withdrawn after {PATIENCE} lost processes: {lost[-1].reason}"
            raise Failure(lost[-1].status, why)
        key = (name, cores or all_cores())
        member = self.members.get(key)
        try:
            if member is None or not member.process.is_alive():
                member = self.members[key] = _Member(contestant, self.files, key[1])
            with suppress(BrokenPipeError):  # it died meanwhile: receive says how
                member.pipe.send((command, *arguments))
            return member.receive(limit or self.limit)
        except Failure as failure:
            if member is None or not member.process.is_alive():
                lost.append(failure)
            raise

    def dismiss(self, cores: int | None = None) -> None:
        """End the processes, or those of so many cores."""
        for key in list(self.members):
            if cores is None or key[1] == cores:
                self.members.pop(key).kill()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *raised: object) -> None:
        self.dismiss()


@contextmanager
def _on_cores(cores: int) -> Iterator[None]:
    """Have a process started inside run on so many cores, and its libraries know it."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
