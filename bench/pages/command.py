"""What commands have in common that leave figures, tables and a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from .findings import OUTPUT
from .page import Page

__all__ = ["add_options", "page_of"]


def add_options(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the options for files; `out` names that of the figures."""
    parser.add_argument(
        "--out", type=Path, default=OUTPUT / out, help="figures; default: %(default)s"
    )
    parser.add_argument("--read", type=Path, help="lay out the figures of an earlier run")
    parser.add_argument("--page", type=Path, help="default: beside the figures, as .md")
    parser.add_argument("--pictures", type=Path, help="their folder; default: the page's")


def page_of(options: argparse.Namespace) -> Page:
    """Begin the page that the options name."""
    beside = (options.read or options.out).with_suffix(".md")
    return Page(options.page or beside, options.pictures)
