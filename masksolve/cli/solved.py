"""What ``masksolve solve`` prints of what it found."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from masksolve.checkpoints.figures import Figures, add_known
from masksolve.checkpoints.result import CheckpointResult
from masksolve.cli.common import print_json, print_table, share
from masksolve.cli.others import others_as_json, print_others
from masksolve.cli.tensors import print_skipped, skipped_as_json
from masksolve.pattern import Pattern
from masksolve.storage.records import MaskRecord

__all__ = ["print_solved"]

KNOWN = ("total", "tiles", "short_tiles", "seconds")
SUMMED = ("objective", "upper_bound", "gap", "total", "tiles", "short_tiles")


def print_solved(found: CheckpointResult, options: argparse.Namespace) -> None:
    """Print a table, or JSON, of every tensor and of all of them."""
    rows = [_row(name, record, found.figures.get(name)) for name, record in found.records.items()]
    total = {key: add_known([row[key] for row in rows]) for key in SUMMED}
    rivals = {m: [row["compare"][m] for row in rows] for m in options.compare}
    total |= {
        "status": found.status.value,
        "bytes": found.nbytes,
        "seconds": found.seconds,
        "compare": {method: _sums(theirs) for method, theirs in rivals.items()},
    }
    pattern = str(Pattern.parse(options.pattern))
    head = {"pattern": pattern, "method": options.method, "output": str(found.path)}
    if options.json:
        more = skipped_as_json(found.choice) | others_as_json(found.others)
        print_json(head | {"tensors": rows, "total": total} | more)
        return
    columns = ["tensor", "shape", "kept score", "of all", "proven gap", "status", "seconds"]
    columns += [f"{method} loses" for method in options.compare]
    lines = [_line(row, row["name"], "x".join(map(str, row["shape"]))) for row in rows]
    if len(rows) > 1:
        lines.append(_line(total, f"all {len(rows)}", ""))
    print_table(f"{pattern} by {options.method}: {found.path}", columns, lines)
    rate = f", {found.nbytes / found.seconds / 1e6:.0f} MB/s" if found.nbytes else ""
    print(f"{found.nbytes / 1e9:.3f} GB in {found.seconds:.1f} s{rate}")
    print(f"masks for {100 * found.masked_share:.4g} % of all weights")
    print_skipped(found.choice)
    print_others(found.others)


def _row(name: str, record: MaskRecord, figures: Figures | None) -> dict[str, Any]:
    gap = None if record.upper_bound is None else record.upper_bound - record.objective
    known = {
        key: getattr(figures, key, None) for key in ("total", "tiles", "short_tiles", "seconds")
    }
    rivals = {} if figures is None else figures.compare
    compare = {
        method: {
            "objective": rival.objective,
            "short_tiles": rival.short_tiles,
            "seconds": rival.seconds,
        }
        for method, rival in rivals.items()
    }
    return {"name": name, "gap": gap} | record.to_json() | known | {"compare": compare}


def _sums(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        key: add_known([row[key] for row in rows])
        for key in ("objective", "short_tiles", "seconds")
    }


def _line(row: Mapping[str, Any], name: str, shape: str) -> list[str]:
    score, total, seconds = row["objective"], row["total"], row["seconds"]
    line = [
        name,
        shape,
        f"{score:.6g}",
        "unknown" if total is None else share(score, total),
        "unknown" if row["gap"] is None else f"{row['gap']:.2g}",
        row["status"],
        "-" if seconds is None else f"{seconds:.2f}",
    ]
    for rival in row["compare"].values():
        short = rival["short_tiles"]
        lost = share(score - rival["objective"], score)
        line.append(lost + (f" ({short} of {row['tiles']} tiles short)" if short else ""))
    return line
