"""What was published of AdaPrune, and the commands that do the same on the real data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONFIGURATIONS", "FIGURES", "Configuration", "Figure"]


@dataclass(frozen=True)
class Configuration:
    """What the authors' code is set up to do.

    Attributes
    ----------
    start, pattern : str
        What is pruned, and to what.
    script : str
        Of the authors' code, in its folder AdaPrune/scripts.
    options : str
        Of our example.
    """

    start: str
    pattern: str
    script: str
    options: str

    @property
    def command(self) -> str:
        """What does the same on the real data, in the folder of the example."""
        return f"prune.py resnet-50 {self.options} --optimizer adam --mode parallel"


CONFIGURATIONS = (
    Configuration(
        "ResNet-50, dense",
        "4:8",
        "adaprune_dense_bnt.sh",
        "--start dense.pth --pattern 4:8,plain --dense-ends",
    ),
    Configuration(
        "ResNet-50, unstructured sparse",
        "2:4",
        "adaprune_sparse.sh",
        "--start sparse.pth --pattern 2:4,plain",
    ),
)
"""Of https://github.com/papers-submission/structured_transposable_masks, for ImageNet."""


@dataclass(frozen=True)
class Figure:
    """What a later paper measured of AdaPrune, without N:M patterns.

    Attributes
    ----------
    network, quantity : str
    dense : float
        Of the dense network, per cent.
    pruned : tuple of float
        With a half, a third and a quarter of the operations left.
    """

    network: str
    quantity: str
    dense: float
    pruned: tuple[float, float, float]


FIGURES = (
    Figure("ResNet-50", "ImageNet, top 1", 76.13, (75.53, 74.47, 72.39)),
    Figure("BERT", "SQuAD, F1", 88.53, (87.12, 70.32, 18.75)),
)
"""Of Frantar, Singh and Alistarh 2022 (arXiv:2208.11580), table 1, as a summary quotes it."""
