"""What is added to the loss, what is left of a model, and the reset rule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.inputs import as_number, as_share
from masksolve.torch.dst.thresholds import by_matrix, sparse_weights
from masksolve.torch.tables import as_table

__all__ = ["Remaining", "masks", "remaining", "reset", "sparsity_loss", "thresholds"]


def sparsity_loss(model: nn.Module, alpha: float = 1.0) -> Tensor:
    """Return alpha times the sum of exp(-t) over all thresholds of a model.

    Add it to the loss: it drives thresholds up, the less the higher they are.

    Parameters
    ----------
    model : Module
        With layers of this package.
    alpha : float
        From 0 up: how much sparsity is worth.

    Returns
    -------
    Tensor
        A number.

    Raises
    ------
    InvalidInput
        If alpha is negative or not finite; if the model has no thresholds; if one is not
        finite any more, naming its layer.

    Examples
    --------
    >>> from masksolve.torch.dst import Linear
    >>> sparsity_loss(nn.Sequential(Linear(64, 300), Linear(300, 10)), alpha=0.1).item()
    31.0
    """
    alpha = as_number(alpha, "alpha", 0)
    weights = list(sparse_weights(model))
    total = torch.stack([_sum(torch.exp(-w.threshold)) for w in weights]).sum()
    if not bool(torch.isfinite(total)):
        for weight in weights:
            weight.refuse_spoilt()
        raise InvalidInput(
            "the sum of exp(-t) over all thresholds overflows: the lowest is "
            f"{min(w.threshold.min().item() for w in weights):.3g}; training has diverged"
        )
    return alpha * total


@dataclass(frozen=True, slots=True)
class Remaining:
    """How much of a model's masked weights is kept; printing it gives a table.

    Attributes
    ----------
    counts : dict of str to (int, int)
        Kept entries of the mask, and all, by matrix: ``"fc1.weight"``, or for one of an
        LSTM's eight ``"lstm.weight_ih_l0.forget"``.
    dense : list of str
        Weights of two axes or more that have no mask, and do not count.
    """

    counts: dict[str, tuple[int, int]]
    dense: list[str]

    @property
    def kept(self) -> int:
        """Entries that all masks together keep."""
        return sum(kept for kept, _ in self.counts.values())

    @property
    def size(self) -> int:
        """Entries of all masks."""
        return sum(size for _, size in self.counts.values())

    @property
    def total(self) -> float:
        """Share of all masked weights together."""
        return _share(self.kept, self.size)

    @property
    def layers(self) -> dict[str, float]:
        """Share of each matrix."""
        return {name: _share(kept, size) for name, (kept, size) in self.counts.items()}

    def __str__(self) -> str:
        table = as_table(
            ["matrix"],
            ["kept", "of", "share"],
            ([name, *_cells(kept, size)] for name, (kept, size) in self.counts.items()),
            total=["all", *_cells(self.kept, self.size)],
        )
        return "\n".join([table, *(f"dense: {name}" for name in self.dense)])


def _cells(kept: int, size: int) -> tuple[str, str, str]:
    return str(kept), str(size), f"{100 * _share(kept, size):.2f} %"


def remaining(model: nn.Module) -> Remaining:
    """Count what the masks of a model keep.

    It is the masks that count, not the weights: a kept weight may be zero.

    Raises
    ------
    InvalidInput
        If the model has no thresholds, or one that is not finite.

    Examples
    --------
    >>> from masksolve.torch.dst import Linear
    >>> model = nn.Sequential(Linear(64, 300), nn.ReLU(), Linear(300, 10))
    >>> with torch.no_grad():
    ...     _ = model[0].threshold.fill_(1.0)
    >>> left = remaining(model)
    >>> left.layers
    {'0.weight': 0.0, '2.weight': 1.0}
    >>> round(left.total, 3)
    0.135
    """
    counts: dict[str, tuple[int, int]] = {}
    weights = list(sparse_weights(model))
    for weight in weights:
        for name, kept in zip(
            weight.names, by_matrix(weight.mask(), len(weight.parts)), strict=True
        ):
            counts[name] = int(kept.sum()), kept.numel()
    ours = {id(p) for w in weights for p in (w.dense, w.threshold)}
    dense = [
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1 and id(parameter) not in ours
    ]
    return Remaining(counts, dense)


def masks(model: nn.Module) -> dict[str, Tensor]:
    """Return what is kept, of bool and of the weights' shapes, by the weights' names.

    Raises
    ------
    InvalidInput
        As `remaining`.
    """
    return {weight.name: weight.mask() for weight in sparse_weights(model)}


def thresholds(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the thresholds by the names of their weights.

    Raises
    ------
    InvalidInput
        If the model has none.
    """
    return {w.name: w.threshold.detach().clone() for w in sparse_weights(model)}


def reset(model: nn.Module, below: float | None = None) -> list[str]:
    """Set the thresholds of every matrix to 0 whose thresholds keep next to nothing.

    Layers with ``reset_below`` do so by themselves at every call in training mode. An
    evaluation changes nothing by itself: call this before, as the paper's code does.

    Parameters
    ----------
    model : Module
    below : float, optional
        Matrices that keep no more than this share are reset. Default: every layer's own
        ``reset_below``, by which LSTMs are left alone unless told otherwise.

    Returns
    -------
    list of str
        The matrices that were reset, named as in `remaining`.

    Raises
    ------
    InvalidInput
        If the model has no thresholds, or one that is not finite; if `below` is no share.

    Examples
    --------
    >>> from masksolve.torch.dst import LSTM
    >>> lstm = LSTM(28, 128, initial=1.0)  # first weights are smaller: nothing is kept
    >>> reset(lstm), len(reset(lstm, below=0.01)), remaining(lstm).total
    ([], 8, 1.0)
    """
    share = as_share(below, "below")
    weights = list(sparse_weights(model))
    for weight in weights:
        weight.refuse_spoilt()
    return [name for weight in weights for name in weight.reset(share)]


def _sum(numbers: Tensor) -> Tensor:
    """Add up many numbers, in single precision at least."""
    return numbers.sum(dtype=torch.promote_types(numbers.dtype, torch.float32))


def _share(kept: int, size: int) -> float:
    """Return a share; of a layer without inputs nothing is missing."""
    return kept / size if size else 1.0
