"""``masksolve apply``: weights with the zeros of stored masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from masksolve.checkpoints.apply import apply_masks
from masksolve.checkpoints.source import Checkpoint
from masksolve.cli.common import print_json

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``apply``."""
    parser = commands.add_parser(
        "apply",
        help="set weights to zero where stored masks say so",
        description="Write a file of weights, or a folder of shards, with zeros where its "
        "masks have them; the rest is copied. Masks know their weights by a hash, and "
        "nothing is written if these are others. OUT appears whole or not at all.",
    )
    parser.add_argument("weights", metavar="WEIGHTS", type=Path)
    parser.add_argument("masks", metavar="MASKS", type=Path)
    parser.add_argument("output", metavar="OUT", type=Path)
    parser.add_argument(
        "--force", action="store_true", help="apply masks to any weights of their shapes"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    records = apply_masks(
        options.weights, options.masks, options.output, force=options.force, progress=True
    )
    count = len(Checkpoint.open(options.output).tensors)
    if options.json:
        tensors = [{"name": name, "pattern": str(r.pattern)} for name, r in records.items()]
        copied = count - len(tensors)
        print_json({"output": str(options.output), "tensors": tensors, "copied": copied})
    else:
        print(f"{options.output}: {len(records)} of {count} tensors masked")
    return 0
