"""Small models, and data that hangs together as real data does."""

import torch
from torch import nn

import masksolve as ms


def layer_with_zeros(share, width=64):
    layer = nn.Linear(width, width)
    drop = torch.rand(width, width, generator=torch.Generator().manual_seed(0)) < share
    layer.weight.data[drop] = 0
    return layer


def related(*shape, seed=0):
    """Draw numbers of which the last axis is correlated, around a mean that is not zero."""
    random = torch.Generator().manual_seed(seed)
    width = shape[-1]
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(99))
    spread = torch.linspace(0.2, 2, width)
    return (torch.randn(*shape, generator=random) * spread) @ mixing / width**0.5 + 0.3


def mlp(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 8)
    )


class Residual(nn.Module):
    """A small residual CNN with a grouped convolution, batch norms and a 1 x 1 shortcut."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.one = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.two = nn.Conv2d(32, 32, 3, padding=1, groups=2)
        self.short = nn.Conv2d(16, 32, 1, stride=2)
        self.head = nn.Linear(32, 8)

    def forward(self, x):
        x = torch.relu_(self.norm(self.stem(x)))
        y = self.two(torch.relu_(self.norm1(self.one(x))))
        return self.head(torch.relu_(y + self.short(x)).mean((2, 3)))


def images(batches=3, samples=16, seed=0):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(samples, 3, 8, 8, generator=random) for _ in range(batches)]


class Sequences(nn.Module):
    """Torch's own encoder, fed by names, with a mask for padding."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, x, attention_mask=None):
        padding = None if attention_mask is None else attention_mask == 0
        return self.encoder(x, src_key_padding_mask=padding)


class Recurrent(nn.Module):
    """A cell that is called once for each step of a sequence."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        super().__init__()
        self.cell = nn.LSTMCell(8, 16)

    def forward(self, sequence):
        state = None
        for x in sequence.unbind(1):
            state = self.cell(x, state)
        return state[0]


def assert_masked(model, masks, pattern, parts=1):
    """Masks are valid both ways round, part by part, and what they prune is zero."""
    for name, mask in masks.items():
        assert not model.get_parameter(name)[~mask].any()
        for part in mask.chunk(parts) if "in_proj" in name else [mask]:
            ms.check_mask(part.numpy(), pattern)
            if "plain" not in pattern:
                ms.check_mask(part.T.numpy(), pattern)
