"""``masksolve evaluate``: how well a model foretells a text, and how much worse than another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masksolve.cli.common import counting_bar, positive, print_json, print_table
from masksolve.errors import InvalidInput

if TYPE_CHECKING:
    from masksolve.torch.language import Evaluation

__all__ = ["add_commands", "print_evaluation"]


def add_commands(commands: Any) -> None:
    """Add ``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="the perplexity of a language model, beside another's",
        description="Measure the perplexity of a language model on a text, by windows, with its "
        "standard error; of two models, the ratio too, paired by windows. The folders are those "
        "of transformers; nothing is downloaded.",
    )
    parser.add_argument("model", metavar="MODEL", type=Path)
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="text, .jsonl, or tokens in .safetensors"
    )
    parser.add_argument(
        "--beside", type=Path, metavar="DENSE", help="another model, with the same vocabulary"
    )
    parser.add_argument(
        "--samples",
        type=positive,
        metavar="N",
        help="read that many windows, spread over the text; default: all",
    )
    parser.add_argument(
        "--length",
        type=positive,
        metavar="N",
        help="tokens of a window; default: 2048, or as many as the models read at once",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which windows; default: 0"
    )
    parser.add_argument("--device", metavar="NAME", help="such as cuda; default: the CPU")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        from masksolve.torch.language import evaluate_checkpoint
    except ImportError:
        raise InvalidInput(
            "masksolve evaluate needs PyTorch and transformers: pip install 'masksolve[prune]'"
        ) from None
    with counting_bar("windows") as progress:
        found = evaluate_checkpoint(
            options.model,
            options.file,
            beside=options.beside,
            samples=options.samples,
            length=options.length,
            seed=options.seed,
            device=options.device,
            progress=progress,
        )
    if options.json:
        print_json(found.to_dict())
    else:
        print_evaluation(found)
    return 0


def print_evaluation(found: Evaluation) -> None:
    """Print perplexities, and of two models their ratio."""
    rows = [_row(str(found.model), found.perplexity)]
    if found.other is not None:
        rows += [_row(str(found.beside), found.other), _row("ratio, paired", found.ratio)]
    windows = "a window" if found.windows == 1 else f"{found.windows} windows"
    title = f"{found.text}: {windows} of {found.length} tokens"
    print_table(title, ("", "perplexity", "standard error"), rows)


def _row(name: str, figures: Any) -> tuple[str, str, str]:
    error = figures.error
    return name, f"{figures.value:.4g}", f"{error:.2g}" if error == error else "-"
