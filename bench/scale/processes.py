"""The command as a process: its time, the memory of all its processes, and its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Ran", "run"]

EVERY = 0.05
"""Seconds between looks at the memory."""


@dataclass(frozen=True)
class Ran:
    """What a command did.

    Attributes
    ----------
    code : int
    seconds : float
        From its start to its end.
    peak : int
        Largest sum of the resident memory of its processes, in bytes.
    report : dict
        What it printed as JSON.
    """

    code: int
    seconds: float
    peak: int
    report: dict[str, Any]


def run(
    arguments: Sequence[str | Path],
    *,
    kill_after: float | None = None,
    watch: Callable[[psutil.Process, float], None] | None = None,
) -> Ran:
    """Run ``masksolve`` and look on.

    Parameters
    ----------
    arguments : sequence of str or Path
    kill_after : float, optional
        Seconds after which it gets a SIGKILL, and all its processes with it.
    watch : callable, optional
        Called again and again with the process and the seconds since its start.
    """
    command = [sys.executable, "-m", "masksolve", *map(str, arguments), "--json"]
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        process = psutil.Popen(command, stdout=out, start_new_session=True)
        peak = 0
        while process.poll() is None:
            passed = time.perf_counter() - start
            if kill_after is not None and passed >= kill_after:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                break
            peak = max(peak, _resident(process))
            if watch is not None:
                watch(process, passed)
            time.sleep(EVERY)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    code = process.returncode
    if kill_after is None and code:
        raise subprocess.CalledProcessError(code, command)
    return Ran(code, seconds, peak, json.loads(text) if code == 0 else {})


def _resident(process: psutil.Process) -> int:
    total = 0
    for one in (process, *_children(process)):
        try:
            total += one.memory_info().rss
        except psutil.Error:  # gone in this moment
            continue
    return total


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []
