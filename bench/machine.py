"""Where it ran: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import pyperf

__all__ = ["all_cores", "commit", "machine", "versions"]

FACTS = {
    "cpu_model_name": "cpu",
    "cpu_count": "cores_of_machine",
    "python_implementation": "python",
    "python_version": "python_version",
    "date": "date",
}
"""What of pyperf's metadata goes into the file: nothing that names a person or a host."""


def all_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Describe the machine, as pyperf sees it, and the commit."""
    seen = pyperf.Run([1.0]).get_metadata()
    found: dict[str, Any] = {ours: seen[theirs] for theirs, ours in FACTS.items() if theirs in seen}
    return found | {
        "microarchitecture": llvm.get_host_cpu_name(),  # a vendor's name alone says little
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": all_cores(),
        "memory_bytes": _memory(),
        "commit": commit(),
    }


def _memory() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    return 1024 * int(text.split("MemTotal:")[1].split()[0])


def commit() -> str:
    """Name the commit of the checkout that holds this file; "+" if files have changed."""
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Name the version of every package that the modules come from."""
    distributions = packages_distributions()
    found = {}
    for module in modules:
        for name in distributions.get(module.partition(".")[0], [module]):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
