"""``masksolve methods``: what there is, and what each one promises."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from masksolve.cli.common import print_json
from masksolve.solvers import METHODS

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add ``methods``."""
    parser = commands.add_parser("methods", help="list the methods and their guarantees")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.json:
        print_json([method.summary() for method in METHODS.values()])
        return 0
    for method in METHODS.values():
        kinds = "transposable and plain" if method.plain else "transposable"
        exact = "exact" if method.exact else "heuristic"
        print(f"{method.name}: {exact}, {kinds}, m up to {method.max_m}")
        for text in (method.guarantee, method.reference):
            print(textwrap.fill(text, 88, initial_indent="    ", subsequent_indent="      "))
        for name, option in method.options.items():
            text = f"--option {name}={option.default:g}: {option.meaning}"
            print(textwrap.fill(text, 88, initial_indent="    ", subsequent_indent="      "))
    return 0
