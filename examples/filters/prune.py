"""Train a network as the authors of provable filter pruning do, prune it, train it again.

    python examples/filters/prune.py resnet-20 --data FOLDER --budget 0.597 --out runs/resnet-20

The folder holds CIFAR-10's batches of the Python or the binary version, or ImageNet's
``train`` and ``val`` with a folder a class. Interrupted, the same command goes on; with
other budgets it starts from the same dense network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from masksolve.errors import InvalidInput
from masksolve.torch import filters

# The data, and networks of that paper which this one prunes, too.
sys.path.append(str(Path(__file__).resolve().parents[1] / "dst"))

from dst_paper.data import load_data
from dst_paper.learning import accuracy
from dst_paper.script import in_a_sentence
from filters_paper.settings import SETTINGS
from filters_paper.training import train


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, train, prune, train again."""
    options = _parse(arguments)
    with in_a_sentence(goes_on=True):
        _run(options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Prune a network's filters with the settings of the paper.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("network", choices=SETTINGS)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--budget", type=float, required=True, help="share that stays")
    parser.add_argument("--sampler", choices=filters.SAMPLERS, default="deterministic")
    parser.add_argument("--images", type=int, default=256, help="for sensitivities")
    parser.add_argument("--epochs", type=int, help="each time; default: the authors'")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoints")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> None:
    settings = SETTINGS[options.network]
    epochs = settings.epochs if options.epochs is None else options.epochs
    if min(epochs, options.images) < 1 or not 0 < options.budget <= 1:
        raise InvalidInput(
            "expected at least one epoch and one image, and a budget above 0 and up to 1, got "
            f"{epochs}, {options.images} and {options.budget:g}"
        )
    data = load_data(settings.data, options.data, settings.batch)
    torch.manual_seed(options.seed)
    network = settings.network()

    def learn(network: nn.Module, name: str) -> None:
        path = options.out / f"{name}.pt"
        for epoch, loss, right in train(settings, network, data, epochs, path, options.device):
            print(
                f"{name}  epoch {epoch:3}  loss {loss:.4f}  accuracy {100 * right:.2f} %",
                flush=True,
            )

    learn(network, "dense")
    training, test = data
    dense = accuracy(network, test, options.device)
    torch.manual_seed(options.seed)  # the same images whether or not it was interrupted
    few = -(-options.images // settings.batch)
    batches = [images[: options.images] for images, _ in islice(training, few)]
    pruned = filters.prune(
        network, batches, options.budget, sampler=options.sampler, seed=options.seed
    )
    print(pruned.report)
    at_once = accuracy(pruned.model, test, options.device)
    learn(pruned.model, f"{options.sampler}-{options.budget:g}")
    after = accuracy(pruned.model, test, options.device)
    change = 100 * (after - dense)
    print(
        f"accuracy: dense {100 * dense:.2f} %, pruned {100 * at_once:.2f} %, "
        f"trained again {100 * after:.2f} %: {change:+.2f} points"
    )


if __name__ == "__main__":
    main()
