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

from masksolve.errors import InvalidInput, MasksolveError
from masksolve.torch import filters

# The data, and networks of that paper which this one prunes, too.
sys.path.append(str(Path(__file__).resolve().parents[1] / "dst"))

from filters_paper.settings import SETTINGS
from filters_paper.training import accuracy, load_data, train


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, train, prune, train again."""
    options = _parse(arguments)
    try:
        _run(options)
    except MasksolveError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on")


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
    if min(epochs, options.images) < 1:
        raise InvalidInput(
            f"expected at least one epoch and one image, got {epochs} and {options.images}"
        )
    data = load_data(settings, options.data)
    torch.manual_seed(options.seed)
    network = settings.network()

    def learn(network: nn.Module, name: str) -> None:
        path = options.out / f"{name}.pt"
        for epoch, loss, right in train(settings, network, data, epochs, path, options.device):
            print(f"{name}  epoch {epoch:3}  loss {loss:.4f}  accuracy {100 * right:.2f} %",
                  flush=True)  # fmt: skip

    learn(network, "dense")
    dense = accuracy(network, data[1], options.device)
    torch.manual_seed(options.seed)  # the same images whether or not it was interrupted
    few = -(-options.images // settings.batch)
    batches = [images[: options.images] for images, _ in islice(data[0], few)]
    pruned = filters.prune(
        network, batches, options.budget, sampler=options.sampler, seed=options.seed
    )
    print(pruned.report)
    at_once = accuracy(pruned.model, data[1], options.device)
    learn(pruned.model, f"{options.sampler}-{options.budget:g}")
    after = accuracy(pruned.model, data[1], options.device)
    change = 100 * (after - dense)
    print(f"accuracy: dense {100 * dense:.2f} %, pruned {100 * at_once:.2f} %, "
          f"trained again {100 * after:.2f} %: {change:+.2f} points")  # fmt: skip


if __name__ == "__main__":
    main()
