"""Masks for weights that are about to be fitted: by magnitude, or by what goes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from masksolve.errors import InvalidInput, about
from masksolve.inputs import as_threads
from masksolve.pattern import Pattern
from masksolve.solvers import METHODS, as_options, find_method
from masksolve.torch._adaprune.groups import Weight
from masksolve.torch._adaprune.lines import Form
from masksolve.torch.fitting import Moments
from masksolve.torch.scores import CalibratedScore, as_calibrated_score
from masksolve.torch.solving import solve_mask

__all__ = ["Calibrated", "Masker", "Pieces"]

Pieces: TypeAlias = Sequence[tuple[slice, Moments]]
"""Parts of a weight, and the sums over the rows that they multiply."""

DAMPING = 1e-2


class Calibrated:
    """A weight and what goes into it, for scores.

    Attributes
    ----------
    name : str
    module : Module
    weight : Tensor
        As it was before.
    """

    def __init__(self, weight: Weight, pieces: Pieces) -> None:
        self.name, self.module, self.weight = weight.name, weight.module, weight.dense
        self._form, self._pieces = weight.form, pieces

    def scale(self) -> Tensor:
        """Return the root mean square of what each entry multiplies, in the weight's shape."""
        return self._spread(lambda gram: gram.diagonal(dim1=-2, dim2=-1).sqrt())

    def curvature(self) -> Tensor:
        """Return how fast the error grows when an entry goes and the others make up for it.

        In the weight's shape: the reciprocal diagonal of the inverse of X X^T / rows, with a
        hundredth of its mean diagonal added.
        """

        def reciprocal(gram: Tensor) -> Tensor:
            mean = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
            added = (DAMPING * mean).clamp(min=torch.finfo(gram.dtype).tiny)
            one = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
            factor = torch.linalg.cholesky(gram + added * one)
            return torch.cholesky_inverse(factor).diagonal(dim1=-2, dim2=-1).reciprocal()

        return self._spread(reciprocal)

    def _spread(self, figure: Callable[[Tensor], Tensor]) -> Tensor:
        """Give every entry the figure of its feature."""
        lines = torch.empty_like(self._form.lines(self.weight), dtype=torch.float64)
        for parts, moments in self._pieces:
            lines[parts] = figure(moments.gram / moments.rows).unsqueeze(1)
        return self._form.weight(lines)


@dataclass(frozen=True, slots=True)
class Masker:
    """Finds masks in the way that was asked for.

    Parameters
    ----------
    score : str or callable
    method, options, threads
        As for `masksolve.solve`.
    """

    score: str | CalibratedScore
    method: str
    options: Mapping[str, float] | None
    threads: int | None

    def __post_init__(self) -> None:
        as_calibrated_score(self.score)
        as_threads(self.threads)

    def check(self, pattern: Pattern) -> None:
        """Refuse a method that does not exist, or does not solve such a pattern."""
        find_method(self.method, pattern)
        as_options(self.method, METHODS[self.method].options, self.options)

    def to_dict(self) -> dict[str, Any]:
        """Return what was asked for as a checkpoint keeps it."""
        named = self.score if isinstance(self.score, str) else _name_of(self.score)
        return {"score": named, "method": self.method, "options": dict(self.options or {})}

    def first(self, weight: Weight, pieces: Pieces) -> Tensor:
        """Return a weight's mask before it is fitted, in its shape."""
        score = as_calibrated_score(self.score)
        if score is None:
            return self._solve(weight.dense.abs(), weight.form, weight, weight.name)
        scores = score(Calibrated(weight, pieces))
        if not isinstance(scores, Tensor) or scores.shape != weight.dense.shape:
            raise InvalidInput(
                f"the score of {weight.name} must be a tensor of the weight's shape, "
                f"{tuple(weight.dense.shape)}"
            )
        return self._solve(scores, weight.form, weight, f"the score of {weight.name}")

    def lines(self, scores: Tensor, weight: Weight) -> Tensor:
        """Return the mask of some of a weight's parts for scores that are lines."""
        form = weight.form.part(len(scores))
        found = self._solve(form.weight(scores), form, weight, f"the score of {weight.name}")
        return form.lines(found)

    def _solve(self, scores: Tensor, form: Form, weight: Weight, name: str) -> Tensor:
        with about(name):
            return solve_mask(
                scores,
                weight.pattern,
                method=self.method,
                options=self.options,
                score=None,
                layout=form.layout,
                threads=self.threads,
            )


def _name_of(score: CalibratedScore) -> str:
    kind = score if hasattr(score, "__qualname__") else type(score)
    return f"{kind.__module__}.{kind.__qualname__}"
