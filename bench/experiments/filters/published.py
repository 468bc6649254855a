"""The authors' own figures, as they print them; none of them was measured here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ROWS", "SOURCE", "Row"]

SOURCE = (
    "Liebenwein, Maalouf, Gal, Feldman and Rus 2021 (arXiv:2107.11442), Table 1, column PFP: "
    "the deterministic method, pruned once and trained again for as long as at first"
)


@dataclass(frozen=True)
class Row:
    """A network that the authors pruned.

    Attributes
    ----------
    data, network : str
    name : str
        What the example calls the network.
    dense : float
        Top-1 accuracy, per cent.
    change : float
        Of it, points.
    parameters, operations : float
        That are gone, per cent.
    """

    data: str
    network: str
    name: str
    dense: float
    change: float
    parameters: float
    operations: float

    @property
    def command(self) -> str:
        """What reproduces it on the real data, in the folder of the example."""
        budget = 1 - self.parameters / 100
        return f"prune.py {self.name} --budget {budget:.4f}"


ROWS = (
    Row("CIFAR-10", "ResNet-20", "resnet-20", 91.39, -0.28, 40.28, 30.06),
    Row("CIFAR-10", "VGG-16", "vgg-16", 92.78, -0.47, 94.87, 84.76),
    Row("CIFAR-10", "DenseNet-22", "densenet-22", 89.88, -0.44, 40.24, 43.37),
    Row("CIFAR-10", "WRN-16-8", "wrn-16-8", 89.88, -0.44, 85.33, 80.68),
    Row("ImageNet", "ResNet-18", "resnet-18", 69.62, -0.39, 26.35, 17.96),
)
