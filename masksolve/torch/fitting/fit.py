"""A layer's mask and weights, from the sums over its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from masksolve.compiling import Stopwatch
from masksolve.errors import InvalidInput
from masksolve.torch.fitting.admm import alternate
from masksolve.torch.fitting.damping import DAMPINGS, ROUNDS, UNKNOWN, best_of, sample_of
from masksolve.torch.fitting.least_squares import improve_masked
from masksolve.torch.fitting.moments import Moments
from masksolve.torch.fitting.objective import Objective
from masksolve.torch.fitting.projection import Projection
from masksolve.torch.fitting.settings import FitSettings
from masksolve.torch.fitting.sparsegpt import sweep
from masksolve.torch.fitting.system import Damped, System

__all__ = ["Errors", "Fitted", "Seconds", "fit_group", "fit_linear"]

STEPS = 4
"""Of conjugate gradients: ADMM leaves little to do."""
FROM_AFAR = 12
"""From dense weights there is more."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Squared errors of a layer's outputs, in shares of the outputs' squares.

    Attributes
    ----------
    before, after : float
        On the rows that it was fitted to: under the first mask (of magnitudes, or else of
        Wanda's scores) with the dense weights, and at the end.
    held_out_before, held_out_after : float or None
        On other rows.
    """

    before: float
    after: float
    held_out_before: float | None = None
    held_out_after: float | None = None


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds of a group of layers: of masks, of decompositions, and of all else."""

    masks: float
    decomposition: float
    rest: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What became of a layer.

    Attributes
    ----------
    weight, mask : Tensor, (outputs, features)
        The weight in the dtype of the dense one, zero where the mask is.
    bias : Tensor or None
        In the dtype of the dense one.
    errors : Errors
    damping : float or None
        Where weights were fitted.
    seconds : Seconds
        Of all layers of the group.
    """

    weight: Tensor
    bias: Tensor | None
    mask: Tensor
    errors: Errors
    damping: float | None
    seconds: Seconds


def fit_linear(
    weight: Tensor,
    bias: Tensor | None,
    moments: Moments,
    held_out: Moments | None,
    settings: FitSettings,
) -> Fitted:
    """Prune a linear layer, and make up for it.

    Parameters
    ----------
    weight : Tensor, (outputs, features)
        Of any floating dtype. Never modified.
    bias : Tensor, (outputs,), optional
        Fitted, too.
    moments : Moments
        Of the rows to fit to.
    held_out : Moments, optional
        Of other rows, by which errors are reported and, unless it is given, the damping chosen.
    settings : FitSettings

    Returns
    -------
    Fitted

    Raises
    ------
    InvalidInput
        If there are no rows, something is not finite, or shapes do not go together.

    Examples
    --------
    >>> import torch
    >>> seed = torch.manual_seed(0)
    >>> weight, rows = torch.randn(8, 16), torch.randn(200, 16) @ torch.randn(16, 16)
    >>> moments = Moments()
    >>> moments.add(rows)
    >>> fitted = fit_linear(weight, None, moments, None, FitSettings("4:8"))
    >>> bool(fitted.errors.after < fitted.errors.before / 2)
    True
    """
    found: list[Fitted] = fit_group([weight], [bias], moments, held_out, settings)
    return found[0]


@torch.no_grad()
def fit_group(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    moments: Moments,
    held_out: Moments | None,
    settings: FitSettings,
) -> list[Fitted]:
    """Prune linear layers that multiply the same inputs: sums and decompositions serve all.

    Parameters
    ----------
    weights : sequence of Tensor, (outputs, features)
    biases : sequence of Tensor or None
    moments, held_out, settings
        As for `fit_linear`. Wanted outputs are those of the layers side by side.

    Returns
    -------
    list of Fitted

    Raises
    ------
    InvalidInput
        As for `fit_linear`.
    """
    if len({bias is None for bias in biases}) > 1:
        if moments.given:
            raise InvalidInput("layers with and without biases need wanted outputs of their own")
        return _apart(weights, biases, moments, held_out, settings)
    group = _Group(weights, biases, moments, held_out, settings)
    return group.fitted()


def _apart(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    moments: Moments,
    held_out: Moments | None,
    settings: FitSettings,
) -> list[Fitted]:
    """Fit layers that have biases and those that have none, which are other equations."""
    found: dict[int, Fitted] = {}
    for has in (True, False):
        which = [k for k, bias in enumerate(biases) if (bias is not None) == has]
        some = [weights[k] for k in which], [biases[k] for k in which]
        found |= dict(zip(which, fit_group(*some, moments, held_out, settings), strict=True))
    return [found[k] for k in range(len(weights))]


class _Group:
    """Layers with the same inputs, as one matrix; all with biases or none."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor | None],
        moments: Moments,
        held_out: Moments | None,
        settings: FitSettings,
    ) -> None:
        _refuse_unfit(weights, biases, moments, held_out)
        self._watch = Stopwatch()
        self._weights, self._biases, self._settings = weights, biases, settings
        given = [bias for bias in biases if bias is not None]
        self._bias = torch.cat(given).float().unsqueeze(0) if given else None
        self._dense = torch.cat([w.float() for w in weights]).unsqueeze(0)
        self._outputs = [len(weight) for weight in weights]
        self._objective = Objective(self._dense, moments, self._bias, torch.float32)
        self._held_out = None
        if held_out is not None and held_out.rows:
            self._held_out = Objective(self._dense, held_out, self._bias, torch.float32)
        self._project = Projection(self._outputs, settings)
        self._decomposing = 0.0

    def fitted(self) -> list[Fitted]:
        """Fit all."""
        settings, objective = self._settings, self._objective
        scores = self._dense.abs()
        if settings.algorithm != "magnitude":
            scores = (
                self._dense.square() * objective.moments.gram.diagonal(dim1=-2, dim2=-1).float()
            )
        first = self._project(scores)
        damping, new, mask = None, self._dense * first, first
        if settings.refit or settings.algorithm in ("admm", "sparsegpt"):
            system = System(
                objective, self._dense, centred=self._bias is not None, dtype=torch.float32
            )
            if settings.algorithm == "admm":
                watch = Stopwatch()
                _ = system.eigen  # before `of`: the outputs that are tried share it
                self._decomposing = watch.seconds
            damping = self._damping(system, first)
            scaled, mask = _fit(system.damped(damping), first, settings, self._project)
            new = scaled / system.scale * mask
        return self._reported(first, new, mask, damping)

    def _damping(self, system: System, first: Tensor) -> float:
        """Return the damping that was asked for, or what does best on held-out rows."""
        if self._settings.damping is not None:
            return self._settings.damping
        if self._held_out is None:
            return UNKNOWN
        parts = sample_of(self._outputs, self._settings.pattern.m)
        starts = torch.tensor([0, *self._outputs]).cumsum(0).tolist()
        chosen = torch.cat([k + first for k, first in zip(parts, starts, strict=False)])
        some, project = system.of(chosen), Projection(list(map(len, parts)), self._settings)
        held_out = self._held_out.of(chosen)
        quick = replace(self._settings, rounds=min(ROUNDS, self._settings.rounds))

        def error(damping: float) -> float:
            new, mask = _fit(some.damped(damping), first[:, chosen], quick, project)
            new = new / some.scale * mask
            shift = None if self._bias is None else self._objective.of(chosen).best_shift(new)
            return float(held_out.error(new, shift).sum())

        found = best_of(DAMPINGS, UNKNOWN, error)
        self._project.seconds += project.seconds
        return found

    def _reported(
        self, first: Tensor, new: Tensor, mask: Tensor, damping: float | None
    ) -> list[Fitted]:
        """Return weights and biases in their own dtypes, and their errors there."""
        shift = None
        if self._bias is not None:
            shift = (self._objective.best_shift(new) * (damping is not None)).float()
        found = []
        ranges = torch.arange(sum(self._outputs)).split(self._outputs)
        masks, news = mask[0].split(self._outputs), new[0].split(self._outputs)
        seconds = Seconds(0.0, 0.0, 0.0)
        for k, weight in enumerate(self._weights):
            own = news[k].to(weight.dtype)
            bias, moved = self._biases[k], None
            if bias is not None and shift is not None and self._bias is not None:
                here = self._bias[0, ranges[k]]
                bias = (here + shift[0, ranges[k]]).to(bias.dtype)
                moved = (bias.float() - here).unsqueeze(0)
            errors = self._errors(ranges[k], first, own.float().unsqueeze(0), moved)
            found.append(Fitted(own, bias, masks[k], errors, damping, seconds))
        spent = self._watch.seconds
        masks_took, decomposing = self._project.seconds, self._decomposing
        seconds = Seconds(masks_took, decomposing, spent - masks_took - decomposing)
        return [replace(one, seconds=seconds) for one in found]

    def _errors(self, outputs: Tensor, first: Tensor, new: Tensor, shift: Tensor | None) -> Errors:
        """Return the errors of some outputs, before and after."""
        dense = self._dense[:, outputs] * first[:, outputs]

        def pair(objective: Objective) -> tuple[float, float]:
            own = objective.of(outputs)
            energy = float(own.energy) or 1.0
            return float(own.error(dense)) / energy, float(own.error(new, shift)) / energy

        return Errors(*pair(self._objective), *(pair(self._held_out) if self._held_out else ()))


def _fit(
    equations: Damped, first: Tensor, settings: FitSettings, project: Projection
) -> tuple[Tensor, Tensor]:
    """Return weights in the units of u, and their mask."""
    if settings.algorithm == "admm":
        start, mask = alternate(equations, first, settings.rounds, project)
        return improve_masked(equations, mask, start, STEPS), mask
    if settings.algorithm == "sparsegpt":
        start, mask = sweep(equations, settings.pattern.m, project)
        if not settings.refit:
            return start, mask
        return improve_masked(equations, mask, start, FROM_AFAR), mask
    return improve_masked(equations, first, equations.system.dense, FROM_AFAR), first


def _refuse_unfit(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor | None],
    moments: Moments,
    held_out: Moments | None,
) -> None:
    """Refuse what does not go together, or is not finite."""
    if not moments.rows:
        raise InvalidInput("there are no rows to fit to")
    features = moments.gram.shape[-1]
    for weight, bias in zip(weights, biases, strict=True):
        if weight.ndim != 2 or weight.shape[1] != features or not weight.is_floating_point():
            raise InvalidInput(
                f"a weight must be (outputs, {features}) of a floating dtype, as its inputs are, "
                f"got {tuple(weight.shape)} of {weight.dtype}"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise InvalidInput(f"a bias must be ({len(weight)},), got {tuple(bias.shape)}")
        if not all(bool(x.isfinite().all()) for x in (weight, bias) if x is not None):
            raise InvalidInput("a weight or bias is not finite")
    outputs = sum(map(len, weights))
    for sums in (moments, held_out):
        if sums is None or not sums.rows:
            continue
        if not sums.finite:
            raise InvalidInput("inputs, or outputs that are wanted, are not all finite")
        if sums.given and sums.target.shape[1] != outputs:
            raise InvalidInput(f"{sums.target.shape[1]} outputs are wanted of {outputs}")
