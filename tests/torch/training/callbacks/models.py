"""What both trainers train, and on what."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst

QUIET = [
    pytest.mark.filterwarnings(f"ignore:{words}")
    for words in (
        ".*does not have many workers",
        "GPU available but not used",
        ".*LeafSpec:FutureWarning",
        "Checkpoint directory .* exists and is not empty",
    )
]
"""Lightning's warnings."""


class Recipe:
    """Three linear layers, for the modules of all packages."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)

    def logits(self, x):
        return self.head(self.body(x).relu())


def samples():
    """Draw inputs and classes, six batches of 8."""
    x = torch.randn(48, 16, generator=torch.Generator().manual_seed(1))
    return x, x[:, :3].argmax(1)


def sparse(model, **options):
    return model, mst.sparsify(model, "2:4", **options)
