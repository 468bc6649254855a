"""``masksolve solve`` for folders of shards."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from masksolve.checkpoints.result import CheckpointResult
from masksolve.cli.cluster import runner_for
from masksolve.cli.common import print_json, print_table
from masksolve.errors import InvalidInput
from masksolve.storage.records import MaskRecord

__all__ = ["solve_folder"]


def solve_folder(options: argparse.Namespace) -> int:
    """Run the command on a folder."""
    from masksolve.checkpoints.run import solve_checkpoint

    if options.compare:
        raise InvalidInput(f"--compare is for single files: {options.input} is a folder")
    try:
        with runner_for(options) as runner:
            found = solve_checkpoint(
                options.input,
                options.output,
                options.pattern,
                method=options.method,
                options=dict(options.option),
                tensors=options.tensors,
                exclude=options.exclude,
                axes=options.axes,
                apply=options.apply,
                repair=options.repair,
                memory=options.memory or "1GB",
                threads=options.threads,
                runner=runner,
                progress=True,
            )
    except KeyboardInterrupt:
        print(
            f"masksolve: interrupted, the same command goes on with {options.output}",
            file=sys.stderr,
        )
        return 130
    _report(found, options)
    return 0


def _report(found: CheckpointResult, options: argparse.Namespace) -> None:
    bound = found.upper_bound
    total = {
        "objective": found.objective,
        "upper_bound": bound,
        "gap": _gap(found.objective, bound),
        "status": found.status.value,
        "bytes": found.nbytes,
        "seconds": found.seconds,
    }
    if options.json:
        rows = [_row(name, record) for name, record in found.records.items()]
        content = {"pattern": options.pattern, "method": options.method}
        print_json(content | {"output": str(found.path), "tensors": rows, "total": total})
        return
    columns = ["tensor", "shape", "kept score", "proven gap", "status"]
    lines = [
        _line(_row(name, record), name, "x".join(map(str, record.shape)))
        for name, record in found.records.items()
    ]
    if len(lines) > 1:
        lines.append(_line(total, f"all {len(lines)}", ""))
    print_table(f"{options.pattern} by {options.method}: {found.path}", columns, lines)
    rate = f", {found.nbytes / found.seconds / 1e6:.0f} MB/s" if found.nbytes else ""
    print(f"{found.nbytes / 1e9:.3f} GB in {found.seconds:.1f} s{rate}")


def _row(name: str, record: MaskRecord) -> dict[str, Any]:
    gap = _gap(record.objective, record.upper_bound)
    return {"name": name, "gap": gap} | record.to_json()


def _gap(objective: float, bound: float | None) -> float | None:
    return None if bound is None else bound - objective


def _line(row: dict[str, Any], name: str, shape: str) -> list[str]:
    gap = "unknown" if row["gap"] is None else f"{row['gap']:.2g}"
    return [name, shape, f"{row['objective']:.6g}", gap, row["status"]]
