"""Thresholds that choose N:M masks: distances as scores, projected to exact masks.

The mask of Dynamic Sparse Training, M = step(|W| - t), keeps the largest sum of distances
|W| - t of all masks there are. With a pattern it keeps the largest of all masks of the
pattern: at most N of every M, along rows and columns, and nothing below its threshold. As
N reaches M the two are one. Gradients are those of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count
from masksolve.pattern import Pattern
from masksolve.solvers import find_method
from masksolve.torch.dst.thresholds import Projected, SparseWeight, sparse_weights
from masksolve.torch.solving import solve_mask

__all__ = ["Projection", "by_share", "project"]

Rule: TypeAlias = Callable[[float], Pattern | str]
"""Chooses a pattern by the share that the thresholds keep."""


def by_share(m: int, *, transposable: bool = True, least: int = 1) -> Rule:
    """Choose at most N of every m, N as small as the share that thresholds keep allows.

    Parameters
    ----------
    m : int
    transposable : bool
    least : int
        Smallest N.

    Returns
    -------
    callable
        From a share in [0, 1] to a `Pattern`.

    Examples
    --------
    >>> rule = by_share(8)
    >>> [str(rule(share)) for share in (0.03, 0.25, 0.26, 1.0)]
    ['1:8,at-most', '2:8,at-most', '3:8,at-most', '8:8,at-most']
    """
    Pattern(least, m)  # refuses what is out of range

    def rule(share: float) -> Pattern:
        n = ceil(share * m - 1e-9)
        return Pattern(max(least, n), m, transposable=transposable, at_most=True)

    return rule


class Projection:
    """Renews the N:M masks of a model with thresholds; `project` makes one.

    Attributes
    ----------
    model : Module
    steps : int
        Optimizer steps taken.
    """

    def __init__(
        self, model: nn.Module, rule: Rule, every: int, method: str, threads: int | None
    ) -> None:
        self.model = model
        self.steps = 0
        self._weights = list(sparse_weights(model))
        self._rule, self._every = rule, every
        self._method, self._threads = method, threads
        self._hook: RemovableHandle | None = None

    @property
    def patterns(self) -> dict[str, Pattern]:
        """The patterns of the masks, by the names of the weights."""
        return {w.name: w.projected.pattern for w in self._weights if w.projected}

    def step(self) -> None:
        """Count a step of the optimizer, after it; renew the masks when that is due.

        Raises
        ------
        InvalidInput
            If the optimizer calls it by itself; for thresholds or weights that are not
            finite, naming the layer: all masks stay as they were.
        """
        if self._hook is not None:
            raise InvalidInput("the optimizer calls step by itself: leave it out")
        self._advance()

    def refresh(self) -> None:
        """Choose patterns and solve all masks now, for weights and thresholds as they are.

        First, for layers with ``reset_below``, comes the reset rule, by what the thresholds
        keep.
        """
        found = []
        for weight in self._weights:
            weight.refuse_spoilt()
            if weight.module.training:
                weight.reset()
            found.append(self._solve(weight))
        for weight, (mask, pattern) in zip(self._weights, found, strict=True):
            projected = weight.projected
            if projected is None:
                weight.projected = Projected(mask, pattern)
            else:
                projected.write(mask, pattern)

    def follow(self, optimizer: torch.optim.Optimizer) -> None:
        """Let an optimizer call `step` by itself, after each of its steps."""
        self._hook = optimizer.register_step_post_hook(lambda *_: self._advance())

    def remove(self) -> None:
        """Go back to masks by thresholds alone."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        for weight in self._weights:
            weight.projected = None
        self._weights = []

    def _advance(self) -> None:
        if not self._weights:
            raise InvalidInput("the projection is removed: there are no masks to renew")
        self.steps += 1
        if self.steps % self._every == 0:
            self.refresh()

    @torch.no_grad()
    def _solve(self, weight: SparseWeight) -> tuple[Tensor, Pattern]:
        learned = weight.learned()
        pattern = Pattern.parse(self._rule(float(learned.sum()) / learned.numel()))
        find_method(self._method, pattern)
        if pattern.n == pattern.m and pattern.at_most:
            return learned, pattern
        try:
            mask = solve_mask(
                weight.distance(),
                pattern,
                method=self._method,
                score=None,
                layout=weight.layout,
                threads=self._threads,
            )
        except InvalidInput as error:
            raise InvalidInput(
                f"{weight.name} at step {self.steps}: {error}; all masks stay as they were"
            ) from None
        if pattern.at_most:
            mask &= learned  # a distance of 0 is no distance, and adds nothing
        return mask, pattern


def project(
    model: nn.Module,
    pattern: Pattern | str | Rule,
    *,
    refresh_every: int = 1,
    method: str = "exact",
    optimizer: torch.optim.Optimizer | None = None,
    threads: int | None = None,
) -> Projection:
    """Let the thresholds of a model choose N:M masks, renewed while it trains.

    Of every weight the layer then uses the mask of a pattern that keeps the largest sum of
    distances abs(W) - t, of which none is below 0 if the pattern is at-most. Everything else
    of Dynamic Sparse Training stays: both gradients, the sparsity loss, the reset rule.

    Parameters
    ----------
    model : Module
        With layers of this package.
    pattern : Pattern, str or callable
        One for all weights, or a function that chooses one by the share of a weight that
        its thresholds keep, such as `by_share`; it is asked at each renewal, so patterns
        follow the thresholds, every layer's its own.
    refresh_every : int
        Steps between renewals.
    method : str
        The solver, as for `masksolve.solve`.
    optimizer : Optimizer, optional
        Calls ``step`` by itself, after each of its steps.
    threads : int, optional
        As for `masksolve.solve`.

    Returns
    -------
    Projection
        Call its ``step`` after each ``optimizer.step()``.

    Raises
    ------
    InvalidInput
        If the model has no thresholds, or masks of a pattern already; for thresholds or
        weights that are not finite.
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.

    Examples
    --------
    >>> import torch
    >>> from masksolve.torch import dst
    >>> model = torch.nn.Sequential(dst.Linear(64, 32), torch.nn.ReLU(), dst.Linear(32, 16))
    >>> with torch.no_grad():
    ...     _ = model[0].threshold.fill_(0.1)  # first weights are uniform up to 1/8
    >>> projection = project(model, by_share(8))
    >>> {name: str(pattern) for name, pattern in projection.patterns.items()}
    {'0.weight': '2:8,at-most', '2.weight': '8:8,at-most'}
    """
    for weight in sparse_weights(model):
        if weight.projected is not None:
            raise InvalidInput(f"{weight.name} is projected already: remove that first")
    if not isinstance(optimizer, torch.optim.Optimizer | None):
        raise InvalidInput(f"optimizer must be one of torch's, got {type(optimizer).__name__}")
    every = as_count(refresh_every, "refresh_every", 1)
    projection = Projection(model, _as_rule(pattern), every, method, threads)
    projection.refresh()
    if optimizer is not None:
        projection.follow(optimizer)
    return projection


def _as_rule(pattern: Pattern | str | Rule) -> Rule:
    if isinstance(pattern, Pattern | str):
        fixed = Pattern.parse(pattern)
        return lambda share: fixed
    if callable(pattern):
        return pattern
    raise InvalidInput(
        "pattern must be a Pattern, a string such as '2:4,at-most', or a function of the "
        f"share that is kept, got {pattern!r}"
    )
