"""The networks that the paper prunes and that `dst_paper` has not: ResNets and DenseNet-22."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DenseNet", "ResNet", "resnet_18", "resnet_20"]


class ResNet(nn.Module):
    """A residual network of basic blocks, with projected shortcuts where widths change.

    Parameters
    ----------
    stem : Module
    widths : tuple of int
        Channels of each stage; every stage but the first halves the sides.
    blocks : int
        Of each stage.
    classes : int
    """

    def __init__(self, stem: nn.Module, widths: tuple[int, ...], blocks: int, classes: int) -> None:
        super().__init__()
        self.stem = stem
        stages: list[nn.Module] = []
        before = widths[0]
        for k, width in enumerate(widths):
            for block in range(blocks):
                stages.append(_Block(before, width, 2 if k > 0 and block == 0 else 1))
                before = width
        self.body = nn.Sequential(*stages)
        self.head = nn.Linear(before, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Take (batch, 3, side, side); return logits."""
        found: Tensor = self.head(self.body(self.stem(images)).mean((2, 3)))
        return found


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, seen: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(seen)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(seen))


def resnet_20() -> nn.Module:
    """Make ResNet-20 for CIFAR-10."""
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    return ResNet(stem, (16, 32, 64), 3, 10)


def resnet_18() -> nn.Module:
    """Make ResNet-18 for ImageNet."""
    stem = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),
    )
    return ResNet(stem, (64, 128, 256, 512), 2, 1000)


class DenseNet(nn.Module):
    """DenseNet-22 for CIFAR-10: bottlenecks that each add 12 channels to what they read.

    Parameters
    ----------
    bottlenecks : int
        Of each of three stages.
    growth : int
    """

    def __init__(self, bottlenecks: int = 3, growth: int = 12) -> None:
        super().__init__()
        width = 2 * growth
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False)]
        for stage in range(3):
            for _ in range(bottlenecks):
                layers.append(_Bottleneck(width, growth))
                width += growth
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            if stage < 2:
                layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
                width //= 2
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Take (batch, 3, 32, 32); return logits."""
        found: Tensor = self.head(self.body(images).mean((2, 3)))
        return found


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, 4 * growth, 1, bias=False),
            nn.BatchNorm2d(4 * growth),
            nn.ReLU(),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, seen: Tensor) -> Tensor:
        return torch.cat([seen, self.path(seen)], dim=1)
