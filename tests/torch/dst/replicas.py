"""What a process of several does: trains a replica with thresholds on its half of a batch."""

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from masksolve.torch import dst

STEPS = 12


def train(rank=0, world=1):
    """Train, and return all parameters and how often thresholds were taken back."""
    torch.manual_seed(0)
    model = dst.convert(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)))
    used = DistributedDataParallel(model) if world > 1 else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(STEPS):
        x = torch.randn(32, 8)
        mine = x[rank::world]
        loss = (used(mine) - mine[:, :4]).square().mean()
        optimizer.zero_grad()
        (loss + dst.sparsity_loss(model, alpha=1)).backward()
        optimizer.step()
    resets = sum(int(module.resets) for module in (model[0], model[2]))
    return {name: p.detach() for name, p in model.named_parameters()}, resets
