"""What tests of thresholds do again and again."""

import torch

from . import naive


def fill(tensor, value, at=...):
    with torch.no_grad():
        tensor[at] = value


def thresholds(module):
    """All parameters that are thresholds, by name."""
    return {name: p for name, p in module.named_parameters() if "threshold" in name}


def spread(module, low=0.0, high=0.3):
    """Draw all thresholds of a module anew; returns it."""
    with torch.no_grad():
        for parameter in thresholds(module).values():
            parameter.uniform_(low, high)
    return module


def descend(optimizer, loss):
    """Take a step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def gradients(weight, rows, upstream):
    """The oracle's gradients of a weight, rows of thresholds and a loss, in double precision."""
    found = naive.gradients(weight.tolist(), rows, upstream.tolist())
    return [torch.tensor(g, dtype=torch.float64) for g in found]
