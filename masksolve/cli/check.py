"""``masksolve check`` and ``masksolve certify``: verdicts on masks from anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.manifest import verify_checkpoint
from masksolve.checkpoints.selection import Choice
from masksolve.checkpoints.source import Checkpoint
from masksolve.checks import check_mask
from masksolve.cli import common, tensors
from masksolve.errors import InvalidInput, MaskViolation
from masksolve.inputs import as_axes
from masksolve.layout import Layout
from masksolve.nearly import ZeroReport, inspect_zeros
from masksolve.pattern import Pattern
from masksolve.quantised import recognise
from masksolve.result import Status
from masksolve.solving import certify
from masksolve.starts import mask_for
from masksolve.storage.masks import read_mask
from masksolve.storage.records import read_records

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``check`` and ``certify``."""
    parser = commands.add_parser(
        "check",
        help="does a file obey a pattern? exit 1 and the first violation if not",
        description="Check a file, or a folder of shards, against a pattern: masks, or masked "
        "weights (their zeros; kept weights may be zero, so lines may hold fewer). Exit code 1 "
        "and the first violation if it does not obey.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--pattern", metavar="N:M[,plain][,at-most]", help="default: what the masks say"
    )
    parser.add_argument(
        "--nearly",
        type=_nearly,
        metavar="SHARE",
        help="of weights: count as zero what is at most SHARE times the largest weight of its "
        "tensor, such as 1e-6, and name the tensors that obey only so: a conversion has moved "
        "their zeros",
    )
    parser.add_argument(
        "--checksums",
        action="store_true",
        help="compare every byte of a folder with its manifest, masksolve.json, too",
    )
    tensors.tensor_options(parser)
    parser.set_defaults(run=_check)

    parser = commands.add_parser(
        "certify",
        help="prove how far masks are from the optimum; exit 1 if not optimal",
        description="Judge masks, ours or dense 0/1 tensors of the weights' names, against a "
        "proven bound; in files, or folders of shards. Exit code 1 unless every tile is "
        "proven optimal.",
    )
    parser.add_argument("weights", metavar="WEIGHTS", type=Path)
    parser.add_argument("masks", metavar="MASKS", type=Path)
    parser.add_argument(
        "--pattern", metavar="N:M[,plain][,at-most]", help="default: what the masks say"
    )
    tensors.tensor_options(parser)
    parser.set_defaults(run=_certify)


def _nearly(text: str) -> float:
    """Read a share above 0 and below 1."""
    try:
        share = float(text)
    except ValueError:
        share = nan
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0 and below 1")
    return share


class _Masks:
    """The masks of a file or a folder: packed, masked weights of ours, any dense tensors."""

    def __init__(self, path: Path, options: argparse.Namespace) -> None:
        self.source = Checkpoint.open(path)
        self.quantised = recognise(path, self.source.shards.values())
        self.options = options
        self.given = Pattern.parse(options.pattern) if options.pattern else None
        found = [read_records(file) for file in self.source.shards.values()]
        self.records = {name: record for _, part in found for name, record in part.items()}
        self.choice: Choice | None = None
        """Only where no records say which tensors it is about."""
        self.packed = all(kind == "masks" for kind, _ in found)
        if not self.records and self.given is None:
            raise InvalidInput(f"{path} names no pattern: say which by --pattern")

    def names(self) -> dict[str, Layout]:
        """Names of the chosen tensors, and where each one's matrices lie."""
        if not self.records or (self.options.tensors and not self.packed):
            self.choice = tensors.choose(
                self.source, self.options, quantised=self.quantised, masks=True
            )
            return {name: Layout(axes) for name, axes in self.choice.axes.items()}
        tensors.check_names(self.source, self.records, self.options)
        given = tensors.axes_by_name(self.options)
        given.check(self.source.path, self.records)
        found = {
            name: self._layout(name, axes) if (axes := given.get(name)) else record.layout
            for name, record in self.records.items()
            if tensors.matches(name, self.options)
        }
        known = self.source.tensors
        for name in found:
            if name not in known:
                raise InvalidInput(f"{self.source.path} holds no tensor {name!r} of its records")
        if not found:
            wanted = " ".join(self.options.tensors or ["*"])
            raise InvalidInput(f"{self.source.path} holds no mask of {wanted}")
        return found

    def _layout(self, name: str, axes: tuple[int, int]) -> Layout:
        known = self.records[name].shape if self.packed else None
        file = self.source.file(name)
        with common.about_tensor(file, name):
            shape = self.quantised.seen(file.tensors[name]).shape if known is None else known
            ndim = len(shape)
            return Layout(as_axes(axes, ndim, "mask"))

    def pattern(self, name: str) -> Pattern:
        """Return the pattern that was asked for, else the one on record."""
        if self.given is None and name not in self.records:
            raise InvalidInput(
                f"{self.source.path} names no pattern for tensor {name!r}: say which by --pattern"
            )
        return self.given or self.records[name].pattern

    def read(self, name: str) -> NDArray[Any]:
        """Read a mask, or whatever dense tensor stands for one."""
        if self.packed:
            return read_mask(self.source.file(name), name, self.records[name]).mask
        return self.quantised.read(self.source.file(name), name)

    def are_weights(self, name: str, array: NDArray[Any]) -> bool:
        """Tell weights, whose zeros count, from a mask."""
        return not self.packed and (name in self.records or array.dtype != np.bool_)


def _nonzero(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell what is not zero; NaN is not, which NumPy finds worth a warning."""
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = array != 0
    return found


def _check(options: argparse.Namespace) -> int:
    if options.checksums:
        verify_checkpoint(options.file)
    masks = _Masks(options.file, options)
    names = masks.names()
    known = masks.source.tensors
    moved: dict[str, ZeroReport] = {}
    with common.progress_bar([known[name] for name in names]) as bar:
        for name, layout in names.items():
            array, pattern = masks.read(name), masks.pattern(name)
            with common.about_tensor(masks.source.file(name), name), bar.tensor(name, array.shape):
                weights = masks.are_weights(name, array)
                if weights:  # what is not zero is kept, and kept weights may be zero
                    pattern = Pattern(pattern.n, pattern.m, pattern.transposable, at_most=True)
                where = {"axes": layout.matrix_axes}
                array = layout.matrices(array)
                if options.nearly is None:
                    violation = _violation(_nonzero(array) if weights else array, pattern, **where)
                elif weights:
                    report = inspect_zeros(array, pattern, nearly=options.nearly, **where)
                    violation = report.violation
                    if report.verdict != "valid":
                        moved[name] = report
                else:
                    raise InvalidInput("it is a mask: --nearly is about weights")
                if violation is not None:
                    _print_verdict(options, masks.choice, name, violation, len(names), moved)
                    return 1
    _print_verdict(options, masks.choice, None, None, len(names), moved)
    return 0


def _violation(mask: NDArray[Any], pattern: Pattern, axes: tuple[int, int]) -> MaskViolation | None:
    try:
        check_mask(mask, pattern, axes=axes)
    except MaskViolation as violation:
        return violation
    return None


def _print_verdict(
    options: argparse.Namespace,
    choice: Choice | None,
    name: str | None,
    violation: MaskViolation | None,
    count: int,
    moved: Mapping[str, ZeroReport],
) -> None:
    if options.json:
        content: dict[str, Any] = {"valid": violation is None, "tensors": count}
        if options.nearly is not None:
            content["reports"] = [_as_json(*item) for item in moved.items()]
        if choice is not None:
            content["skipped"] = tensors.names_as_json(choice)
        if violation is not None:
            details = {"tensor": name, **violation.details, "message": str(violation)}
            content["violation"] = details
        common.print_json(content)
        return
    for moved_name, report in moved.items():
        print(f"{options.file}: tensor {moved_name!r}: {report}")
    if violation is not None:
        print(f"{options.file}: tensor {name!r}: {violation}")
    else:
        valid = f"all {count} tensors are" if count > 1 else "the tensor is"
        nearly = f", {len(moved)} of them only nearly" if moved else ""
        print(f"{options.file}: {valid} valid{nearly}")
    if choice is not None:
        tensors.print_skipped(choice)


def _as_json(name: str, report: ZeroReport) -> dict[str, Any]:
    counts = {key: getattr(report, key) for key in ("lines", "over", "broken", "moved", "largest")}
    return {"tensor": name, "verdict": report.verdict, **counts}


def _certify(options: argparse.Namespace) -> int:
    masks = _Masks(options.masks, options)
    names = masks.names()
    weights = Checkpoint.open(options.weights)
    known, quantised = weights.tensors, recognise(weights.path, weights.shards.values())
    rows: list[dict[str, Any]] = []
    with common.progress_bar([known[name] for name in names if name in known]) as bar:
        for name, layout in names.items():
            file, pattern = weights.file(name), masks.pattern(name)
            array = quantised.read(file, name)
            with common.about_tensor(masks.source.file(name), name):
                theirs = masks.read(name)
                if name in masks.records and not masks.packed:
                    theirs = _nonzero(theirs)
                mask = mask_for(theirs, array.shape)
            with common.about_tensor(file, name), bar.tensor(name, array.shape) as report:
                try:
                    found = certify(
                        layout.matrices(array),
                        layout.matrices(mask),
                        pattern,
                        axes=layout.matrix_axes,
                        threads=options.threads,
                        progress=report,
                    )
                except MaskViolation as violation:
                    raise InvalidInput(f"not a mask of {pattern}: {violation}") from None
            rows.append(
                {
                    "name": name,
                    "pattern": str(pattern),
                    "objective": found.objective,
                    "upper_bound": found.upper_bound,
                    "gap": found.gap,
                    "status": found.status.value,
                }
            )
    optimal = all(row["status"] == Status.OPTIMAL.value for row in rows)
    total: dict[str, Any] = {
        key: float(np.sum([row[key] for row in rows]))
        for key in ("objective", "upper_bound", "gap")
    }
    total["status"] = Status.worst(Status(row["status"]) for row in rows).value
    if options.json:
        content = {"optimal": optimal, "tensors": rows, "total": total}
        if masks.choice is not None:
            content["skipped"] = tensors.names_as_json(masks.choice)
        common.print_json(content)
    else:
        lines = [_line(row, row["name"], row["status"]) for row in rows]
        if len(rows) > 1:
            lines.append(_line(total, f"all {len(rows)}", "optimal" if optimal else "not optimal"))
        columns = ["tensor", "kept score", "proven gap", "of it", "status"]
        common.print_table(f"{options.masks} for {options.weights}", columns, lines)
        if masks.choice is not None:
            tensors.print_skipped(masks.choice)
    return 0 if optimal else 1


def _line(row: dict[str, Any], name: str, status: str) -> list[str]:
    score, gap = row["objective"], row["gap"]
    return [name, f"{score:.6g}", f"{gap:.2g}", common.share(gap, score), status]
