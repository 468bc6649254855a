"""``masksolve solve``: masks, or masked weights, for the tensors of a file or a folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from masksolve.cli.cluster import cluster_options, runner_for
from masksolve.cli.common import going_on
from masksolve.cli.solved import print_solved
from masksolve.cli.tensors import axes_by_name, tensor_options
from masksolve.solvers import METHODS

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``solve``."""
    parser = commands.add_parser(
        "solve",
        help="find masks for the tensors of a safetensors file or checkpoint",
        description="Find masks for the tensors of a safetensors file, or of a folder of "
        "shards, and write them, one bit per weight, with their proofs' figures. OUT appears "
        "whole or not at all; work that was interrupted is gone on with.",
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
        default="1GB",
        help="what a process may take, such as 2GB; default: 1GB",
    )
    cluster_options(parser)
    tensor_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from masksolve.checkpoints.solve import solve_checkpoint

    with going_on(options.output), runner_for(options) as runner:
        found = solve_checkpoint(
            options.input,
            options.output,
            options.pattern,
            method=options.method,
            options=dict(options.option),
            tensors=options.tensors,
            exclude=options.exclude,
            axes=axes_by_name(options),
            apply=options.apply,
            repair=options.repair,
            memory=options.memory,
            threads=options.threads,
            runner=runner,
            progress=True,
            compare=options.compare,
            single=not os.path.isdir(options.input),  # a name too long is none
        )
    print_solved(found, options)
    return 0


def _option(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE") from None
