"""The matrices of a stage fitted to what was seen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from masksolve.errors import about
from masksolve.torch.fitting import FitSettings, Fitted, Moments, fit_group
from masksolve.torch.pruning.plan import Matrix
from masksolve.torch.pruning.products import Key

__all__ = ["Layers", "Sums"]

WIDE = 2048
"""Inputs beyond which sums of products are kept in single precision, in half the memory."""


class Sums:
    """What is summed up of the inputs of some matrices: to fit to, and to judge by."""

    def __init__(self, features: int) -> None:
        dtype = torch.float64 if features <= WIDE else torch.float32
        self.fit, self.held_out = Moments(dtype), Moments(dtype)

    def of(self, held_out: bool) -> Moments:
        """Return those of one kind."""
        return self.held_out if held_out else self.fit


@dataclass(eq=False)
class Layers:
    """The matrices of a block: dense weights, and what became of those that are fitted.

    Attributes
    ----------
    parameters : mapping of str to Tensor
        As the block holds them, of single precision.
    dtypes : mapping of str to dtype
        That their files hold.
    called : mapping of str to str
        What to call them.
    settings : FitSettings
    fitted, masks : dict of str to Tensor
        Rounded to what files hold; of the parameters' shapes.
    rows : list of dict
        For the report: one each matrix.
    unseen : list of str
        Matrices whose inputs nobody saw: they have masks of magnitudes.
    seconds : dict of str to float
    """

    parameters: Mapping[str, Tensor]
    dtypes: Mapping[str, torch.dtype]
    called: Mapping[str, str]
    settings: FitSettings
    fitted: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def features(self, matrix: Matrix) -> int:
        """How many inputs a matrix has."""
        return int(self.parameters[matrix.name].shape[-2 if matrix.inputs_first else -1])

    def fit(self, matrices: Sequence[Matrix], index: int | None, sums: Sums) -> None:
        """Fit matrices that multiply the same inputs.

        Parameters
        ----------
        matrices : sequence of Matrix
        index : int or None
            Which of their stacks.
        sums : Sums
            Without rows: by magnitudes.
        """
        dense = [self._dense(matrix, index) for matrix in matrices]
        biases = [
            None if m.bias is None else self.parameters[m.bias].to(self.dtypes[m.bias])
            for m in matrices
        ]
        names = [self._name((matrix.name, index)) for matrix in matrices]
        settings, fit = self.settings, sums.fit
        if not fit.rows:
            settings = replace(settings, algorithm="magnitude", refit=False)
            fit = Moments()
            fit.add(torch.zeros(1, dense[0].shape[1], device=dense[0].device))
            self.unseen += names
        held_out = sums.held_out if sums.held_out.rows else None
        with about(" and ".join(names[:1] + [f"{len(names) - 1} more"] * (len(names) > 1))):
            found = fit_group(dense, biases, fit, held_out, settings)
        for part, seconds in asdict(found[0].seconds).items():
            self.seconds[part] = self.seconds.get(part, 0.0) + seconds
        for matrix, name, fitted in zip(matrices, names, found, strict=True):
            self._take(matrix, index, fitted)
            self.rows.append(self._row(matrix, name, fitted, seen=bool(sums.fit.rows)))

    def _dense(self, matrix: Matrix, index: int | None) -> Tensor:
        held = self.parameters[matrix.name]
        held = held if index is None else held[index]
        return (held.mT if matrix.inputs_first else held).to(self.dtypes[matrix.name]).contiguous()

    def _take(self, matrix: Matrix, index: int | None, found: Fitted) -> None:
        name, held = matrix.name, self.parameters[matrix.name]
        if name not in self.fitted:
            self.fitted[name] = held.clone()
            self.masks[name] = torch.empty_like(held, dtype=torch.bool)
        for kept, new in ((self.fitted, found.weight), (self.masks, found.mask)):
            place = kept[name] if index is None else kept[name][index]
            place.copy_(new.mT if matrix.inputs_first else new)
        if matrix.bias is not None and found.bias is not None:
            self.fitted[matrix.bias] = found.bias.to(held.dtype)

    def _row(self, matrix: Matrix, name: str, found: Fitted, *, seen: bool) -> dict[str, Any]:
        parts = [part for part in matrix.name.split(".") if part != "weight"]
        return {
            "name": name,
            "kind": parts[-1],
            "shape": list(found.weight.shape),
            "seen": seen,
            "damping": found.damping,
            "errors": asdict(found.errors),
        }

    def _name(self, key: Key) -> str:
        name, index = key
        return self.called[name] if index is None else f"{self.called[name]}[{index}]"
