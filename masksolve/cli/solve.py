"""``masksolve solve``: masks, or masked weights, for the tensors of a file."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.folder import refuse_target
from masksolve.cli import common
from masksolve.cli.checkpoint import solve_folder
from masksolve.cli.cluster import cluster_options
from masksolve.errors import InvalidInput
from masksolve.inputs import as_axes
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.result import MaskResult, Status
from masksolve.solvers import METHODS, as_options, find_method
from masksolve.solving import repair, solve
from masksolve.storage.hashing import hash_weights
from masksolve.storage.packing import pack, set_zeros
from masksolve.storage.records import MaskRecord, describe
from masksolve.storage.tensors import TensorFile, TensorSpec, write_tensors

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``solve``."""
    parser = commands.add_parser(
        "solve",
        help="find masks for the tensors of a safetensors file or checkpoint",
        description="Find masks for the tensors of a safetensors file, or of a folder of "
        "shards, and write them, one bit per weight, with their proofs' figures. OUT appears "
        "whole or not at all; a folder that was interrupted is gone on with.",
    )
    parser.add_argument("input", metavar="IN", type=Path)
    parser.add_argument("output", metavar="OUT", type=Path, help="a folder if IN is one")
    parser.add_argument("--pattern", required=True, metavar="N:M[,plain][,at-most]")
    parser.add_argument("--method", default="exact", help=f"{', '.join(METHODS)}; default: exact")
    parser.add_argument(
        "--option",
        action="append",
        type=_option,
        metavar="NAME=VALUE",
        default=[],
        help="a parameter of the method, see 'masksolve methods'; may be repeated",
    )
    parser.add_argument(
        "--apply",
        action="store_true",
        help="write the whole file, or folder, with the masked weights set to zero instead",
    )
    parser.add_argument(
        "--repair", action="store_true", help="fill lines that the method leaves short"
    )
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="METHOD",
        default=[],
        help="solve by these as well and show what they would have lost",
    )
    parser.add_argument(
        "--memory",
        metavar="BYTES",
        help="what a process may take for a folder, such as 2GB; default: 1GB",
    )
    cluster_options(parser)
    common.tensor_options(parser)
    parser.set_defaults(run=_run)


def _option(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE") from None


def _run(options: argparse.Namespace) -> int:
    if os.path.isdir(options.input):  # a name too long is none
        return solve_folder(options)
    for name in ("memory", "workers", "scheduler"):
        if getattr(options, name) is not None:
            raise InvalidInput(f"--{name} is for folders: {options.input} is none")
    pattern = Pattern.parse(options.pattern)
    for method in (options.method, *options.compare):
        find_method(method, pattern)
    as_options(options.method, METHODS[options.method].options, dict(options.option))
    refuse_target(options.output, [options.input])
    file = TensorFile(options.input)
    chosen = common.choose(file, options)
    rows: list[dict[str, Any]] = []
    records: dict[str, MaskRecord] = {}
    longest: dict[str, MaskRecord] = {}
    for name, axes in chosen.items():
        shape = file.tensors[name].shape
        with common.about_tensor(file, name):
            layout = Layout(as_axes(axes, len(shape), "weights"))
        longest[name] = MaskRecord.longest(shape, pattern, layout, options.method)
    kind = "weights" if options.apply else "masks"
    other = file.metadata if options.apply else {}
    specs = [
        spec if options.apply else TensorSpec.packed(name, spec.shape)
        for name, spec in file.tensors.items()
        if options.apply or name in chosen
    ]
    with (
        common.progress_bar([file.tensors[name] for name in chosen]) as bar,
        write_tensors(options.output, specs, other | describe(kind, longest)) as writer,
    ):
        for name in (spec.name for spec in specs):
            if name not in chosen:
                writer.copy(file, name)
                continue
            weights = file.read(name)
            with common.about_tensor(file, name), bar.tensor(name, weights.shape) as report:
                result, row = _solve(weights, name, pattern, chosen[name], options, report)
            rows.append(row)
            known = {"dtype": file.tensors[name].dtype, "weights": hash_weights(weights)}
            if options.apply:
                records[name] = MaskRecord.of(result, **known)
                writer.write(set_zeros(weights, result.mask))
            else:
                packed = pack(result.mask)
                records[name] = MaskRecord.of(result, **known, bits=hash_weights(packed))
                writer.write(packed)
        writer.finish(other | describe(kind, records))
    _report(rows, pattern, options)
    return 0


def _solve(
    weights: NDArray[Any],
    name: str,
    pattern: Pattern,
    axes: tuple[int, int],
    options: argparse.Namespace,
    report: Any,
) -> tuple[MaskResult, dict[str, Any]]:
    started = time.perf_counter()
    where: dict[str, Any] = {"axes": axes, "threads": options.threads}
    given = dict(options.option)
    result = solve(weights, pattern, method=options.method, options=given, progress=report, **where)
    if options.repair and result.status is Status.UNDERFILLED:
        result = repair(weights, result.mask, pattern, **where)
    row = {
        "name": name,
        "shape": list(result.mask.shape),
        "pattern": str(result.pattern),
        "axes": list(result.axes),
        "method": result.method,
        "objective": result.objective,
        "upper_bound": result.upper_bound,
        "status": result.status.value,
        "total": float(np.abs(weights, dtype=np.float64).sum()),
        "gap": result.gap,
        "tiles": result.stats["tiles"],
        "short_tiles": result.stats["short_tiles"],
        "seconds": time.perf_counter() - started,
        "compare": {},
    }
    for method in options.compare:
        rival = solve(weights, pattern, method=method, **where)
        row["compare"][method] = {
            "objective": rival.objective,
            "short_tiles": rival.stats["short_tiles"],
            "seconds": rival.stats["seconds"],
        }
    return result, row


def _report(rows: list[dict[str, Any]], pattern: Pattern, options: argparse.Namespace) -> None:
    sums = ("objective", "total", "tiles", "short_tiles", "seconds")
    total: dict[str, Any] = {key: sum(row[key] for row in rows) for key in sums}
    bounded = all(row["gap"] is not None for row in rows)
    total["gap"] = sum(row["gap"] for row in rows) if bounded else None
    total["compare"] = {
        method: {
            key: sum(row["compare"][method][key] for row in rows)
            for key in ("objective", "short_tiles", "seconds")
        }
        for method in options.compare
    }
    total["status"] = Status.worst(Status(row["status"]) for row in rows).value
    if options.json:
        head = {"pattern": str(pattern), "method": options.method, "output": str(options.output)}
        common.print_json(head | {"tensors": rows, "total": total})
        return
    columns = ["tensor", "shape", "kept score", "of all", "proven gap", "status", "seconds"]
    columns += [f"{method} loses" for method in options.compare]
    lines = [_line(row, row["name"], "x".join(map(str, row["shape"]))) for row in rows]
    if len(rows) > 1:
        lines.append(_line(total, f"all {len(rows)}", ""))
    common.print_table(f"{pattern} by {options.method}: {options.output}", columns, lines)


def _line(row: dict[str, Any], name: str, shape: str) -> list[str]:
    line = [
        name,
        shape,
        f"{row['objective']:.6g}",
        common.share(row["objective"], row["total"]),
        "unknown" if row["gap"] is None else f"{row['gap']:.2g}",
        row["status"],
        f"{row['seconds']:.2f}",
    ]
    for rival in row["compare"].values():
        lost = common.share(row["objective"] - rival["objective"], row["objective"])
        short = rival["short_tiles"]
        line.append(lost + (f" ({short} of {row['tiles']} tiles short)" if short else ""))
    return line
