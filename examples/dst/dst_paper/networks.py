"""The networks that the paper trains, as plain modules: thresholds come by `dst.convert`."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LstmClassifier", "WideResNet", "lenet_5_caffe", "lenet_300_100", "resnet_50", "vgg_16"]

CLASSES = 10


def lenet_300_100() -> nn.Module:
    """Make LeNet-300-100, for images of 28 x 28."""
    widths = (28 * 28, 300, 100, CLASSES)
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(widths)]
    return nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def lenet_5_caffe() -> nn.Module:
    """Make LeNet-5 as Caffe has it: no padding, max pooling, 500 hidden units."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 50, 500),
        nn.ReLU(),
        nn.Linear(500, CLASSES),
    )


class LstmClassifier(nn.Module):
    """Two LSTM layers that read an image row by row, and a dense output layer.

    Parameters
    ----------
    hidden : int
        128 in LSTM-a, 256 in LSTM-b.
    inputs : int
        Width of a row.
    """

    def __init__(self, hidden: int, inputs: int = 28) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(hidden, CLASSES)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Take (batch, 1, rows, width); return logits."""
        states, _ = self.lstm(images[:, 0])
        logits: Tensor = self.output(states[:, -1])
        return logits


VGG_16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
"""Channels of its convolutions; 0 is a pooling."""


def vgg_16() -> nn.Module:
    """Make VGG-16 for CIFAR-10: 13 convolutions with batch norm, two linear layers."""
    layers: list[nn.Module] = []
    before = 3
    for width in VGG_16:
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        norm = nn.BatchNorm2d(width)
        nn.init.constant_(norm.weight, 0.5)
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), norm, nn.ReLU()]
        before = width
    return nn.Sequential(
        *layers,
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(512, 512),
        nn.BatchNorm1d(512),
        nn.ReLU(),
        nn.Linear(512, CLASSES),
    )


class WideResNet(nn.Module):
    """A wide residual network for CIFAR-10, without dropout.

    Parameters
    ----------
    depth : int
        6k + 4.
    widen : int
    """

    def __init__(self, depth: int = 16, widen: int = 8) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        widths = (16, 16 * widen, 32 * widen, 64 * widen)
        self.body = nn.Sequential(
            *(
                _WideBlock(before if k == 0 else width, width, stride if k == 0 else 1)
                for (before, width), stride in zip(pairwise(widths), (1, 2, 2), strict=True)
                for k in range(blocks)
            )
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.output = nn.Linear(widths[-1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Take (batch, 3, 32, 32); return logits."""
        seen = torch.relu(self.norm(self.body(self.stem(images))))
        logits: Tensor = self.output(seen.mean(dim=(2, 3)))
        return logits


class _WideBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = (
            None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        )

    def forward(self, seen: Tensor) -> Tensor:
        ready = torch.relu(self.norm1(seen))
        around = seen if self.shortcut is None else self.shortcut(ready)
        found: Tensor = around + self.conv2(torch.relu(self.norm2(self.conv1(ready))))
        return found


def resnet_50() -> nn.Module:
    """Make ResNet-50 for ImageNet, its strides in the 3 x 3 convolutions."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),
    ]
    before = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for k in range(blocks):
            layers.append(_Bottleneck(before, width, stride if k == 0 else 1))
            before = 4 * width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()

        def conv(before: int, after: int, side: int, step: int = 1) -> list[nn.Module]:
            pad = side // 2
            return [
                nn.Conv2d(before, after, side, step, padding=pad, bias=False),
                nn.BatchNorm2d(after),
            ]

        self.path = nn.Sequential(
            *conv(inputs, width, 1),
            nn.ReLU(),
            *conv(width, width, 3, stride),
            nn.ReLU(),
            *conv(width, 4 * width, 1),
        )
        same = inputs == 4 * width and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*conv(inputs, 4 * width, 1, stride))
        )

    def forward(self, seen: Tensor) -> Tensor:
        return functional.relu(self.path(seen) + self.shortcut(seen))
