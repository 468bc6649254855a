"""Prune a trained network to N:M patterns with one image a class, as AdaPrune was published.

    python examples/adaprune/prune.py resnet-50 --data FOLDER --start resnet-50.pth \
        --pattern 4:8,plain --dense-ends --out runs/resnet-50

The folder holds ImageNet's ``train`` and ``val`` with a folder a class, CIFAR-10's batches or
MNIST's four files. The checkpoint is one that ``examples/dst/train.py --dense`` leaves, or
the weights of the same network by other names: torchvision's ResNet-50, for one. Images that
calibrate are cut as for training. Prints the accuracy before and after; interrupted, the same
command with the same ``--out`` goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput

# The data and the networks, which are the same.
sys.path.append(str(Path(__file__).resolve().parents[1] / "dst"))

from dst_paper.data import load_data
from dst_paper.learning import accuracy
from dst_paper.script import in_a_sentence
from dst_paper.settings import SETTINGS

NETWORKS = tuple(name for name in SETTINGS if not name.startswith("lstm"))  # no cells in them
CLASSES = {"mnist": 10, "cifar-10": 10, "imagenet": 1000}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, prune, print."""
    options = _parse(arguments)
    with in_a_sentence(goes_on=options.out is not None):
        _run(options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Prune a trained network to N:M patterns by AdaPrune.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint of the network")
    parser.add_argument(
        "--pattern",
        required=True,
        help="of all layers, as 4:8 or 4:8,plain; or :M for what each layer's zeros allow",
    )
    parser.add_argument("--dense-ends", action="store_true", help="first and last layer dense")
    parser.add_argument("--images", type=int, default=1, help="of each class, to calibrate")
    parser.add_argument(
        "--optimizer",
        choices=("least_squares", "adam", "none"),
        default="least_squares",
        help="adam, as published, keeps the masks by magnitude",
    )
    parser.add_argument(
        "--mode",
        choices=("sequential", "parallel"),
        default="sequential",
        help="parallel, as published, fits every layer to the dense network's inputs",
    )
    parser.add_argument("--iterations", type=int, default=1000, help="of adam")
    parser.add_argument("--method", default="exact", help="the solver of masks")
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="folder of the pruned network")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> None:
    if min(options.images, options.batch) < 1:
        raise InvalidInput(
            "expected at least one image of each class, and one in a batch, got "
            f"{options.images} and {options.batch}"
        )
    settings = SETTINGS[options.network]
    training, test = load_data(settings.data, options.data, options.batch)
    network = settings.network()
    start(network, options.start)
    network.to(options.device)
    dense = accuracy(network, test, options.device)
    print(f"accuracy dense: {100 * dense:.2f} %", flush=True)
    torch.manual_seed(options.seed)
    images = gather(training, options.images, CLASSES[settings.data]).to(options.device)
    pruned = mst.adaprune(
        network,
        list(images.split(options.batch)),
        _pattern(options.pattern),
        mode=options.mode,
        optimizer=options.optimizer,
        iterations=options.iterations,
        method=options.method,
        dense_ends=options.dense_ends,
        seed=options.seed,
        checkpoint=None if options.out is None else options.out / "layers",
        progress=True,
    )
    print(pruned)
    after = accuracy(network, test, options.device)
    print(
        f"accuracy pruned, {len(images)} images: {100 * after:.2f} %: "
        f"{100 * (after - dense):+.2f} points"
    )
    if options.out is not None:
        torch.save({"network": network.state_dict()}, options.out / "pruned.pt")


def gather(batches: Iterable[tuple[Tensor, Tensor]], each: int, classes: int) -> Tensor:
    """Return the first images of every class, as they come."""
    found: list[Tensor] = []
    taken: Counter[int] = Counter()
    for images, labels in batches:
        for image, label in zip(images, labels.tolist(), strict=True):
            if taken[label] < each:
                taken[label] += 1
                found.append(image)
        if len(found) == each * classes:
            break
    return torch.stack(found)


def start(network: nn.Module, path: Path) -> None:
    """Load a checkpoint, whose tensors may have other names but not another order.

    Raises
    ------
    InvalidInput
        If it is damaged, or of another network.
    """
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
        for inner in ("network", "state_dict", "model"):
            if isinstance(held, dict) and isinstance(held.get(inner), dict):
                held = held[inner]
        theirs = {k: v for k, v in held.items() if isinstance(v, Tensor)}
    except Exception as error:  # a damaged file may raise anything
        raise InvalidInput(f"cannot start from {path}: {error}") from error
    ours = network.state_dict()
    if theirs.keys() != ours.keys():
        theirs = dict(zip(ours, theirs.values(), strict=False)) if _alike(theirs, ours) else {}
    try:
        network.load_state_dict(theirs)
    except RuntimeError as error:
        raise InvalidInput(
            f"cannot start from {path}: expected the {len(ours)} tensors of the network, in "
            f"its shapes and order, got {len(held)} others"
        ) from error


def _alike(theirs: dict[str, Tensor], ours: dict[str, Tensor]) -> bool:
    return [v.shape for v in theirs.values()] == [v.shape for v in ours.values()]


def _pattern(text: str) -> Any:
    if not text.startswith(":"):
        return text
    width, _, kind = text[1:].partition(",")
    if not width.isdecimal() or kind not in ("", "plain"):
        raise InvalidInput(f"--pattern must be like 4:8,plain or :8 or :8,plain, got {text!r}")
    return mst.ByDensity(int(width), transposable=not kind)


if __name__ == "__main__":
    main()
