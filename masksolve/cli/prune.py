"""``masksolve prune``: a model's folder in, a pruned one out."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masksolve.cli.common import counting_bar, going_on, positive, print_json, print_table
from masksolve.errors import InvalidInput

if TYPE_CHECKING:
    from masksolve.torch.pruning import PruneReport

__all__ = ["add_commands"]

ALGORITHMS = ("admm", "sparsegpt", "wanda", "magnitude")


def add_commands(commands: Any) -> None:
    """Add ``prune``."""
    parser = commands.add_parser(
        "prune",
        help="prune a model from folder to folder, fitted to text",
        description="Prune the model in a Hugging Face folder, block by block, and fit what is "
        "left of its weights to a text. OUT has the model's own files, with zeros, and appears "
        "whole; work that was interrupted is gone on with. Nothing is downloaded.",
    )
    parser.add_argument("model", metavar="MODEL", type=Path)
    parser.add_argument("output", metavar="OUT", type=Path, help="a new folder")
    parser.add_argument("--pattern", required=True, metavar="N:M[,plain][,at-most]")
    parser.add_argument(
        "--calibration",
        required=True,
        type=Path,
        metavar="FILE",
        help='text, .jsonl with "text", or tokens in .safetensors; of other models their inputs '
        "by name, such as pixel_values, in .safetensors",
    )
    _method_options(parser)
    _text_options(parser)
    _run_options(parser)
    parser.set_defaults(run=_run)


def _method_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--algorithm", choices=ALGORITHMS, default="admm", help="how masks are found; default: admm"
    )
    parser.add_argument("--method", default="exact", help="the solver of masks; default: exact")
    parser.add_argument(
        "--refit",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="find the best weights under the masks; default: yes",
    )
    parser.add_argument(
        "--mode",
        choices=("sequential", "parallel"),
        default="sequential",
        help="sequential: what a layer is fitted to makes up for what those before it lost "
        "(default); parallel: each by itself",
    )
    parser.add_argument(
        "--damping",
        type=float,
        metavar="SHARE",
        help="how strongly weights are held to the dense ones; default: what does best held out",
    )
    parser.add_argument(
        "--rounds", type=positive, default=6, metavar="N", help="of admm; default: 6"
    )


def _text_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--samples", type=positive, default=128, metavar="N", help="windows of text; default: 128"
    )
    parser.add_argument(
        "--length",
        type=positive,
        metavar="N",
        help="tokens of a window; default: 2048, or as many as the model reads at once",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which; default: 0")
    parser.add_argument(
        "--held-out",
        type=float,
        default=0.125,
        metavar="SHARE",
        help="of the windows, to judge by alone; default: 0.125",
    )
    parser.add_argument(
        "--evaluate", type=Path, metavar="FILE", help="measure the perplexity on this text, too"
    )


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--memory",
        metavar="BYTES",
        default="12GB",
        help="what the process may take: beyond it hidden states stay on disk; default: 12GB",
    )
    parser.add_argument("--device", metavar="NAME", help="such as cuda; default: the CPU")
    parser.add_argument("--threads", type=positive, metavar="N", help="for masks; default: all")
    parser.add_argument(
        "--tensors",
        nargs="+",
        metavar="NAME",
        help="names or patterns; default: the matrices of products in the blocks",
    )
    parser.add_argument(
        "--exclude", nargs="+", metavar="NAME", default=[], help="names or patterns to leave dense"
    )
    parser.add_argument("--json", action="store_true", help="print the report instead of a table")


def _run(options: argparse.Namespace) -> int:
    try:
        from masksolve.torch.pruning import prune_checkpoint
    except ImportError:
        raise InvalidInput(
            "masksolve prune needs PyTorch and transformers: pip install 'masksolve[prune]'"
        ) from None
    with going_on(options.output), counting_bar("blocks") as progress:
        report = prune_checkpoint(
            options.model,
            options.output,
            options.pattern,
            options.calibration,
            algorithm=options.algorithm,
            refit=options.refit,
            mode=options.mode,
            method=options.method,
            damping=options.damping,
            rounds=options.rounds,
            samples=options.samples,
            length=options.length,
            held_out=options.held_out,
            seed=options.seed,
            tensors=options.tensors,
            exclude=options.exclude,
            memory=options.memory,
            device=options.device,
            threads=options.threads,
            evaluate=options.evaluate,
            progress=progress,
        )
    if options.json:
        print_json(report.to_dict())
    else:
        _print(report)
    return 0


def _print(report: PruneReport) -> None:
    """Print errors by kind of layer, what is dense still, and perplexities."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for layer in report.layers:
        kinds[layer["kind"]].append(layer["errors"])
    figures = ("before", "after", "held_out_before", "held_out_after")
    rows = [
        [kind, str(len(errors)), *(_mean([one[figure] for one in errors]) for figure in figures)]
        for kind, errors in kinds.items()
    ]
    title = (
        f"{report.path}: {len(report.blocks)} blocks, {len(report.layers)} matrices, "
        f"{100 * report.share:.1f} % of all weights, {report.settings['pattern']}"
    )
    columns = ("errors of outputs", "layers", "mask alone", "fitted", "held out: mask", "fitted")
    print_table(title, columns, rows)
    for why, count in Counter(why for _, why in report.left).most_common():
        names = [name for name, reason in report.left if reason == why]
        print(f"dense: {names[0]}{f' and {count - 1} more' * (count > 1)}: {why}")
    if report.evaluation is not None:
        _print_evaluation(report.evaluation)


def _print_evaluation(found: dict[str, Any]) -> None:
    keys = {"pruned": "perplexity", "dense": "beside_perplexity", "ratio, paired": "ratio"}
    rows = [
        [name, *("-" if value is None else f"{value:.4g}" for value in found[key].values())]
        for name, key in keys.items()
    ]
    title = f"{found['text']}: {found['windows']} windows of {found['length']} tokens"
    print_table(title, ("", "perplexity", "standard error"), rows)


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.4f}" if known else "-"
