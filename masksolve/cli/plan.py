"""``masksolve plan``: patterns side by side on the weights of a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from masksolve.cli.common import print_json, print_table
from masksolve.cli.tensors import choose, print_skipped, skipped_as_json, tensor_options
from masksolve.drawing import check_drawing
from masksolve.planning.forecast import PATTERNS, as_patterns, as_sample, survey
from masksolve.planning.layers import file_layers
from masksolve.planning.tables import layer_table, notes, plan_tables
from masksolve.quantised import recognise
from masksolve.storage.tensors import TensorFile

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``plan``."""
    parser = commands.add_parser(
        "plan",
        help="what each pattern would keep, cost and save on a model",
        description="Solve the tensors of a safetensors file for several patterns and show, "
        "side by side, kept score and mask diversity, storage, arithmetic saved, and what "
        "hardware runs each pattern today. Nothing is written but the picture.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--patterns",
        nargs="+",
        default=PATTERNS,
        metavar="N:M[,plain][,at-most]",
        help=f"default: {' '.join(PATTERNS)}",
    )
    parser.add_argument(
        "--sample",
        type=int,
        metavar="TILES",
        help="solve at most that many tiles of each tensor, and estimate; default: all",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which tiles are drawn; default: 0"
    )
    parser.add_argument(
        "--layers", action="store_true", help="show too what is kept of each tensor"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="OUT.png",
        help="draw kept score against density and against diversity (png, svg or pdf)",
    )
    tensor_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    patterns, sample = as_patterns(options.patterns), as_sample(options.sample)
    if options.plot:
        check_drawing(options.plot)
    file = TensorFile(options.file)
    choice = choose(file, options, patterns, quantised=recognise(file.path, [file]))
    found = survey(
        file_layers(file, choice),
        patterns,
        choice.skipped,
        score=np.abs,
        sample=sample,
        seed=options.seed,
        threads=options.threads,
        progress=True,
    )
    if options.plot:
        found.draw(options.plot)
    if options.json:
        print_json({"file": str(file.path)} | found.to_dict() | skipped_as_json(choice))
        return 0
    tables = plan_tables(found.rows, found.layers)
    tables += [layer_table(found.rows, found.layers)] * options.layers
    for table in tables:
        print_table(table.title, table.columns, table.rows)
    print("\n".join(notes(found.rows, found.sample)))
    print_skipped(choice)
    return 0
