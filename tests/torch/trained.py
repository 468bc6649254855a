"""Small trainings for tests."""

import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst


class Net(nn.Module):
    """Two linear layers and a convolution, in a few hundred weights."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(32, 16), nn.Linear(16, 8)

    def forward(self, x):
        return self.fc2(self.fc1(self.conv(x).flatten(1)).relu())


WEIGHTS = {"conv.weight", "fc1.weight", "fc2.weight"}


def net():
    torch.manual_seed(0)
    return Net()


def backward(model, seed=0):
    """Compute gradients of a loss on made-up data, the same for a seed."""
    made = torch.Generator().manual_seed(seed)
    x = torch.randn(16, 8, 4, generator=made)
    target = torch.randint(8, (16,), generator=made)
    loss = nn.functional.cross_entropy(model(x), target)
    loss.backward()
    return loss


def optimizer_for(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def train(handle, optimizer, steps, each=None):
    """Take steps as a trainer would; `each` is called after every one."""
    for _ in range(steps):
        optimizer.zero_grad()
        backward(handle.model, seed=handle.steps)
        optimizer.step()
        handle.step()
        if each is not None:
            each(handle)


def snapshot(handle):
    return {name: mask.clone() for name, mask in handle.masks.items()}


def solved(handle, text="4:8"):
    """The best masks of the weights as they are."""
    return {
        layer.name: mst.solve_mask(layer.weight, text, layout=layer.layout)
        for layer in handle.layers
    }


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one | other)


def keeps(handle, n, m=8):
    """Every mask keeps n of m, both ways."""
    for layer in handle.layers:
        ms.check_mask(layer.mask.numpy(), ms.Pattern(n, m), axes=layer.layout.matrix_axes)
