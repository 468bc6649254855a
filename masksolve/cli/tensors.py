"""Options that choose tensors, and what is said of those that are passed over."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import Any

from masksolve.checkpoints.axes import AxesByName
from masksolve.checkpoints.names import check_names as check_known
from masksolve.checkpoints.names import matches_any
from masksolve.checkpoints.selection import Choice, Tensors, choose_tensors
from masksolve.cli.common import one_line, positive
from masksolve.pattern import Pattern
from masksolve.quantised import Quantised

__all__ = [
    "axes_by_name",
    "check_names",
    "choose",
    "joined_axes",
    "matches",
    "names_as_json",
    "print_skipped",
    "skipped_as_json",
    "tensor_options",
]

MOST_REASONS = 8


def tensor_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which tensors, and how they lie."""
    parser.add_argument(
        "--tensors",
        nargs="+",
        metavar="NAME",
        help="names or patterns like 'encoder.*.weight'; default: the matrices of products",
    )
    parser.add_argument(
        "--exclude", nargs="+", metavar="NAME", default=[], help="names or patterns to leave out"
    )
    parser.add_argument(
        "--axes",
        type=_axes,
        action="append",
        metavar="[NAME=]OUT,IN",
        help="the output and input axes of the matrix, of the tensors of a name or pattern: "
        "--axes '*experts*=2,1' --axes -2,-1; the first that fits counts; default: as names, "
        "shapes and config.json tell",
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="default: every core")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _axes(text: str) -> tuple[str, tuple[int, int]]:
    name, given, pair = text.rpartition("=")
    try:
        first, second = (int(part) for part in pair.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 0,1 or NAME=0,1") from None
    return (name if given else "*"), (first, second)


def joined_axes(arguments: Sequence[str]) -> list[str]:
    """Write ``--axes -2,-1`` as one argument, or argparse takes the axes for an option.

    Examples
    --------
    >>> joined_axes(["solve", "--axes", "-2,-1", "--axes", "0,1"])
    ['solve', '--axes=-2,-1', '--axes', '0,1']
    """
    found: list[str] = []
    for argument in arguments:
        if found[-1:] == ["--axes"] and re.fullmatch(r"-\d+,-?\d+", argument):
            argument = f"{found.pop()}={argument}"
        found.append(argument)
    return found


def axes_by_name(options: argparse.Namespace) -> AxesByName:
    """Return what --axes says."""
    return AxesByName(options.axes or ())


def matches(name: str, options: argparse.Namespace) -> bool:
    """Tell whether --tensors and --exclude choose the name."""
    return matches_any(name, options.tensors or ["*"]) and not matches_any(name, options.exclude)


def check_names(source: Tensors, names: Iterable[str], options: argparse.Namespace) -> None:
    """Make sure that each name or pattern that was given means something."""
    check_known(source.path, names, options.tensors)


def choose(
    source: Tensors,
    options: argparse.Namespace,
    patterns: Sequence[Pattern] = (),
    *,
    quantised: Quantised,
    masks: bool = False,
) -> Choice:
    """Choose the tensors to work on as the options say: see `choose_tensors`."""
    return choose_tensors(
        source,
        options.tensors,
        options.exclude,
        axes_by_name(options),
        patterns=patterns,
        masks=masks,
        quantised=quantised,
    )


def names_as_json(choice: Choice) -> list[dict[str, str]]:
    """Return the names of what was passed over, and why."""
    return [{"name": name, "why": why} for name, why in choice.skipped]


def skipped_as_json(choice: Choice) -> dict[str, Any]:
    """Return what was passed over, and what the choice rests upon."""
    return {
        "skipped": names_as_json(choice),
        "masked_share": choice.share,
        "model_type": choice.facts.model_type,
        "model_known": choice.facts.known,
    }


def print_skipped(choice: Choice) -> None:
    """Say how many tensors were passed over for which reasons, the most frequent first."""
    reasons = choice.reasons()
    if reasons:
        total = sum(count for _, count in reasons)
        print(f"passed over: {total} tensor{'s' * (total > 1)}")
    for why, count in reasons[:MOST_REASONS]:
        print(f"  {count}: {one_line(why)}")
    if len(reasons) > MOST_REASONS:
        print(f"  and {len(reasons) - MOST_REASONS} more reasons: --json names every tensor")
    if not choice.facts.known:
        print(
            f"config.json names a model of type {choice.facts.model_type!r}, which is not "
            "known: names and shapes alone tell what its tensors are"
        )
