"""``masksolve apply``: weights with the zeros of stored masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from masksolve.checkpoints.apply import apply_masks
from masksolve.checkpoints.source import Checkpoint
from masksolve.cli.common import going_on, print_json
from masksolve.cli.others import others_as_json, print_others

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``apply``."""
    parser = commands.add_parser(
        "apply",
        help="set weights to zero where stored masks say so",
        description="Write a file of weights, or a folder of shards, with zeros where its "
        "masks have them; the rest is copied. Masks know their weights by a hash, and "
        "nothing is written if these are others. OUT appears whole or not at all; work that "
        "was interrupted is gone on with.",
    )
    parser.add_argument("weights", metavar="WEIGHTS", type=Path)
    parser.add_argument("masks", metavar="MASKS", type=Path)
    parser.add_argument("output", metavar="OUT", type=Path)
    parser.add_argument(
        "--force", action="store_true", help="apply masks to any weights of their shapes"
    )
    parser.add_argument(
        "--tensors",
        nargs="+",
        metavar="NAME",
        help="names or patterns like 'encoder.*.weight' of the masks to apply; default: all",
    )
    parser.add_argument(
        "--exclude", nargs="+", metavar="NAME", default=[], help="names or patterns to leave out"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    with going_on(options.output):
        checkpoint = Checkpoint.open(options.weights)
        count, others = len(checkpoint.tensors), checkpoint.others(leave=options.output)
        records = apply_masks(
            options.weights,
            options.masks,
            options.output,
            force=options.force,
            tensors=options.tensors,
            exclude=options.exclude,
            progress=True,
        )
    if options.json:
        tensors = [{"name": name, "pattern": str(r.pattern)} for name, r in records.items()]
        content = {
            "output": str(options.output),
            "tensors": tensors,
            "copied": count - len(tensors),
        }
        print_json(content | others_as_json(others))
    else:
        print(f"{options.output}: {len(records)} of {count} tensors masked")
        print_others(others)
    return 0
