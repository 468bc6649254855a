"""What the examples share: data, command line, the table, the last check."""

import argparse
import sys
from pathlib import Path
from statistics import mean

import torch
from sklearn.datasets import load_digits

import masksolve as ms
import masksolve.torch as mst


def digits():
    """Return images (8 x 8, from 0 to 1) and labels to train on, and as many to test on."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32) / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = order[:1347], order[1347:]
    return (images[train], labels[train]), (images[test], labels[test])


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with a command line."""

    def error(self, message):
        """Leave with the sentence alone."""
        self.exit(2, f"{self.prog}: {message}\n")


def options(arguments, about, *, epochs):
    """Read the command line."""
    parser = Parser(description=about)
    parser.add_argument("--pattern", type=pattern, default="4:8", help="default: 4:8")
    parser.add_argument("--refresh-every", type=count, default=1, metavar="STEPS")
    parser.add_argument("--epochs", type=count, default=epochs)
    parser.add_argument("--seeds", type=count, default=3, help="how many trainings; default: 3")
    parser.add_argument("--out", type=Path, default=Path("examples-output"), metavar="FOLDER")
    found = parser.parse_args(arguments)
    try:
        found.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {found.out}: {error.strerror}")
    return found


def pattern(text):
    """Return the pattern of that name."""
    try:
        return ms.Pattern.parse(text)
    except ms.InvalidPattern as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text):
    """Return a positive whole number."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def summary(dense, sparse, found):
    """Print the accuracies of all seeds; return by how many points sparse is behind."""
    print(f"accuracy on images not seen, {len(dense)} seeds:")
    for name, values in (("dense", dense), (f"masks {found.pattern}", sparse)):
        each = "  ".join(f"{100 * value:.1f}" for value in values)
        print(f"  {name:<14}{100 * mean(values):6.2f} %    ({each})")
    return 100 * (mean(dense) - mean(sparse))


def finish(name, model, handle, found):
    """Print the report, draw the history, finalize, and check what is left."""
    print(handle.report())
    picture = found.out / f"{name}.png"
    handle.history.plot(picture)
    print(f"drew {picture}")
    masks = handle.finalize()
    for name, mask in masks.items():
        module, _, tensor = name.rpartition(".")
        owner = model.get_submodule(module)
        layout = mst.layout_of(owner, tensor)
        matrices, (rows, columns) = layout.matrices(mask.numpy()), layout.matrix_axes
        ms.check_mask(matrices, found.pattern, axes=(rows, columns))  # as forward uses it
        if found.pattern.transposable:
            ms.check_mask(matrices, found.pattern, axes=(columns, rows))  # as backward does
        if torch.any(getattr(owner, tensor)[~mask] != 0):
            raise AssertionError(f"{name} has weights outside its mask")
    ways = "both ways" if found.pattern.transposable else "forward"
    print(f"finalized: {len(masks)} plain weights, each {found.pattern} {ways}")


def run(main):
    """Run an example; what it refuses, it refuses in one sentence."""
    try:
        main()
    except ms.MasksolveError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
