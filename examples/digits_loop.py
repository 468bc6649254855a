"""Handwritten digits by a plain PyTorch loop, dense and with masks renewed every step."""

import torch
from common import digits, finish, options, run, summary
from torch import nn

import masksolve.torch as mst


def network():
    """Return a perceptron with two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def fit(model, data, epochs, handle=None):
    """Train a model; with a handle to its masks they are renewed."""
    images, labels = data
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    rate = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
            if handle is not None:
                handle.step()
        rate.step()


@torch.no_grad()
def accuracy(model, data):
    """Return the share of images that a model gets right."""
    images, labels = data
    return float((model(images).argmax(1) == labels).float().mean())


def main(arguments=None):
    """Train with each seed, dense and with masks."""
    found = options(arguments, __doc__, epochs=30)
    train, test = digits()
    dense, sparse = [], []
    for seed in range(found.seeds):
        torch.manual_seed(seed)
        model = network()
        fit(model, train, found.epochs)
        dense.append(accuracy(model, test))

        torch.manual_seed(seed)
        model = network()
        handle = mst.sparsify(model, found.pattern, refresh_every=found.refresh_every)
        fit(model, train, found.epochs, handle)
        sparse.append(accuracy(model, test))
    finish("digits_loop", model, handle, found)
    return summary(dense, sparse, found)


if __name__ == "__main__":
    run(main)
