"""Checkpoints beyond memory: `make bench-scale`.

A sharded bfloat16 checkpoint is made on the spot and solved by ``masksolve solve``: masks
alone and masked weights. Its rate is set against the engine's on arrays in memory and the
disk's. Then the command is killed with SIGKILL at random moments and started again until it
ends, and its files are compared byte by byte with those of the undisturbed run. Last come one
and two Dask workers, and two of which one is killed. All that was made is deleted; figures
stay in bench-output/scale.json.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..machine import machine, versions
from ..pages.findings import OUTPUT
from ..pages.table import Table, show
from .model import make_checkpoint
from .trials import PATTERN, crews, killed, undisturbed

__all__ = ["main"]

HEAVY = "16:32"
"""Which takes the engine several times as long, so that less depends on the disk."""
RUNS = (
    "{what} | {seconds:.1f} | {MB/s:.0f} | {share:.0%} | {share_with_start:.0%} | "
    "{share_of_both:.0%} | {peak_MB:.0f} | {status}"
)
"""Columns of a table by their keys, and how their values are written."""
KILLS = "{what} | {moments} | {last_seconds:.1f} | {seconds_in_all:.1f} | {identical}"
CREWS = (
    "{what} | {pattern} | {seconds:.1f} | {MB/s:.0f} | {times:.2f} | {peak_MB:.0f} | {killed} | "
    "{identical}"
)


def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Make a checkpoint, measure, kill, compare, and delete it; print tables on the way."""
    found: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(["masksolve", "numpy", "numba", "distributed"]),
        "options": vars(options) | {"pattern": PATTERN, "folder": None},
    }
    with tempfile.TemporaryDirectory(prefix="masksolve-scale-", dir=options.folder) as name:
        folder, memory = Path(name), options.memory
        source = folder / "model"
        nbytes = found["bytes"] = make_checkpoint(source, int(options.gigabytes * 1e9))
        runs = found["runs"] = undisturbed(source, folder, nbytes, memory)
        rates = found["rates"] = {
            "engine": runs[0]["engine_rate"],
            "read": runs[0]["disk_rate"],
            "copy": runs[1]["disk_rate"],
        }
        said = ", ".join(f"{key} {rate / 1e6:.0f} MB/s" for key, rate in rates.items())
        console.print(f"{nbytes / 1e9:.2f} GB; {said}")
        show([_table(f"{PATTERN}, one process", RUNS, runs)], console)
        found["kills"] = killed(source, folder, runs, options.kills, memory, options.seed)
        show([_table("killed and resumed", KILLS, found["kills"])], console)
        if not options.no_workers:
            found["workers"] = [
                row
                for pattern in (PATTERN, HEAVY)
                for row in crews(source, folder, nbytes, memory, pattern)
            ]
            title = "Dask workers of one thread each, masks"
            show([_table(title, CREWS, found["workers"])], console)
    return found


def _table(title: str, form: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    head = [key.replace("_", " ") for key in re.findall(r"{([^:}]+)", form)]
    return Table(title, head, rows=map(form.format_map, rows))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=6.0, help="of the checkpoint")
    parser.add_argument("--memory", default="1GB", help="what the command may take")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="when it is killed")
    parser.add_argument("--folder", help="to work in; default: that for temporary files")
    parser.add_argument("--no-workers", action="store_true", help="leave out Dask")
    console = Console(width=110, highlight=False)
    found = measure(parser.parse_args(), console)
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / "scale.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    console.print(f"wrote {path}")


if __name__ == "__main__":
    main()
