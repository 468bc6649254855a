"""Train the networks of Liu et al. 2020 with their settings, on the real data.

    python examples/dst/train.py lenet-300-100 --data FOLDER --out runs/lenet

The folder holds the data in its original files: MNIST's four, CIFAR-10's batches of the
Python or the binary version, or ImageNet's ``train`` and ``val`` with a folder a class.
Prints a line an epoch; interrupted, the same command with the same ``--out`` goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from dst_paper.data import load_data
from dst_paper.script import in_a_sentence
from dst_paper.settings import SETTINGS
from dst_paper.training import Run, train

from masksolve.errors import InvalidInput
from masksolve.torch import dst


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, train, print."""
    options = _parse(arguments)
    with in_a_sentence(goes_on=options.out is not None):
        _run(options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a network of the DST paper with its settings.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("network", choices=SETTINGS)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--dense", action="store_true", help="without thresholds")
    parser.add_argument("--alpha", type=float, help="default: the paper's")
    parser.add_argument("--epochs", type=int, help="default: the paper's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--thresholds", choices=("vector", "scalar", "matrix"), default="vector")
    parser.add_argument(
        "--reset", default="published", help="share at which thresholds go back to 0, or never"
    )
    parser.add_argument("--start", type=Path, help="last.pt of a dense run to start from")
    parser.add_argument(
        "--pattern", help="N:M masks: a pattern for all layers, or :M for each layer's own N"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="folder of the log and the last checkpoint")
    options = parser.parse_args(arguments)
    if options.dense and (options.pattern or options.start):
        parser.error("--dense goes without --pattern and --start")
    return options


def _run(options: argparse.Namespace) -> None:
    settings = SETTINGS[options.network]
    epochs = settings.epochs if options.epochs is None else options.epochs
    alpha = settings.alpha if options.alpha is None else options.alpha
    if epochs < 1 or not 0 <= alpha < float("inf"):
        raise InvalidInput(
            f"expected at least one epoch and an alpha from 0 up, got {epochs} and {alpha}"
        )
    training, test = load_data(settings.data, options.data, settings.batch)
    torch.manual_seed(options.seed)
    network = settings.network()
    if options.start:
        _start(network, options.start)
    if not options.dense:
        dst.convert(
            network,
            select=settings.masked,
            thresholds=options.thresholds,
            reset_below=_reset(options.reset),
        )
    run = Run(
        settings,
        network,
        training,
        test,
        None if options.dense else alpha,
        epochs,
        _pattern(options.pattern),
        options.device,
        options.out,
    )
    best: dict[str, Any] = {}
    for record in train(run):
        print(_line(record), flush=True)
        if record["accuracy"] > best.get("accuracy", 0):
            best = record
    if best:
        print("best on the test set, as the paper reports it:", _line(best))


def _start(network: torch.nn.Module, path: Path) -> None:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(held["network"])
    except Exception as error:  # a damaged file may raise anything
        raise InvalidInput(f"cannot start from {path}: {error}") from error


def _reset(text: str) -> Any:
    if text in ("published", "never"):
        return None if text == "never" else text
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"--reset must be published, never or a share, got {text!r}") from None


def _pattern(text: str | None) -> Any:
    if text is None or not text.startswith(":"):
        return text
    if not text[1:].isdecimal():
        raise InvalidInput(f"--pattern must be like 2:4,at-most, or :8, got {text!r}")
    return dst.by_share(int(text[1:]))


def _line(record: dict[str, Any]) -> str:
    said = f"epoch {record['epoch']:3}  loss {record['loss']:.4f}  "
    said += f"accuracy {100 * record['accuracy']:.2f} %"
    if "remaining" in record:
        said += f"  remaining {100 * record['remaining']:.2f} %"
        said += "  (" + ", ".join(f"{100 * v:.1f}" for v in record["layers"].values()) + ")"
    if "patterns" in record:
        said += "  " + " ".join(record["patterns"].values()).replace(",at-most", "")
    return said


if __name__ == "__main__":
    main()
