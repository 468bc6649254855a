"""One weight: its mask, what is pruned taken into the mean, and what is kept fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from masksolve.compiling import Stopwatch
from masksolve.torch._adaprune.adam import fit_by_adam
from masksolve.torch._adaprune.collect import Gathered
from masksolve.torch._adaprune.groups import Weight
from masksolve.torch._adaprune.masker import Masker
from masksolve.torch._adaprune.report import LayerReport
from masksolve.torch._adaprune.settings import Settings
from masksolve.torch.fitting.admm import alternate
from masksolve.torch.fitting.least_squares import solve_masked
from masksolve.torch.fitting.objective import Objective
from masksolve.torch.fitting.system import System
from masksolve.torch.masked import shares_of_pruned

__all__ = ["Fitted", "fit"]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What became of a weight.

    Attributes
    ----------
    weight, mask : Tensor
        In the weight's shape.
    biases : Tensor or None
        Of its lines, (parts, outputs).
    report : LayerReport
    """

    weight: Tensor
    mask: Tensor
    biases: Tensor | None
    report: LayerReport


@torch.no_grad()
def fit(
    weight: Weight, pieces: Sequence[tuple[slice, Gathered]], masker: Masker, settings: Settings
) -> Fitted:
    """Prune a weight, and make up for it.

    Parameters
    ----------
    weight : Weight
    pieces : sequence of (slice, Gathered)
        Its parts, and what came of the rows that they multiply.
    masker : Masker
    settings : Settings
    """
    watch = Stopwatch()
    form, dense = weight.form, weight.dense
    first = masker.first(weight, [(parts, gathered.moments) for parts, gathered in pieces])
    shares = shares_of_pruned(dense, first, weight.pattern.m, form.layout)
    wide = torch.promote_types(dense.dtype, torch.float32)
    lines, mask = form.lines(dense).to(wide), form.lines(first)
    absorbed = lines + form.lines(shares).to(wide)
    begin = absorbed if settings.absorb_mean else lines

    new, final = lines.clone(), mask.clone()
    shift = lines.new_zeros(lines.shape[:2])
    errors = torch.zeros(4, dtype=torch.float64)
    for parts, gathered in pieces:
        objective = Objective(lines[parts], gathered.moments)
        new[parts], shift[parts], final[parts] = _fit(
            weight, objective, gathered, (lines[parts], begin[parts], mask[parts]), masker, settings
        )
        errors += torch.stack(
            [
                objective.energy.sum(),
                objective.error(lines[parts] * mask[parts]).sum(),
                objective.error(absorbed[parts] * mask[parts]).sum(),
                objective.error(new[parts].to(dense.dtype), shift[parts].double()).sum(),
            ]
        ).cpu()
    moved = form.weight(final)
    energy, *relative = errors.tolist()
    one_shot, taken_in, fitted = (e / energy if energy else 0.0 for e in relative)
    report = LayerReport(
        name=weight.name,
        shape=tuple(dense.shape),
        pattern=str(weight.pattern),
        density=float(moved.double().mean()),
        rows=max(g.moments.rows for _, g in pieces),
        one_shot=one_shot,
        absorbed=taken_in,
        error=fitted,
        moved=float((moved != first).double().mean()),
        seconds=watch.seconds,
    )
    biases = weight.biases
    if biases is not None:
        biases = (biases + shift).to(biases.dtype)
    return Fitted(form.weight(new).to(dense.dtype), moved, biases, report)


def _fit(
    weight: Weight,
    objective: Objective,
    gathered: Gathered,
    begin: tuple[Tensor, Tensor, Tensor],
    masker: Masker,
    settings: Settings,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return new lines, the shift of their biases, and their mask.

    To begin with there are the dense lines, those to start from, and a mask.
    """
    dense, start, mask = begin
    shift = dense.new_zeros(dense.shape[:2])
    tuned = settings.tune_bias and weight.bias is not None
    if settings.optimizer == "none" or not objective.moments.gram.any():
        return start * mask, shift, mask
    if settings.optimizer == "adam":
        assert gathered.samples is not None
        return fit_by_adam(
            weight,
            gathered.samples,
            start,
            mask,
            settings,
            tuned,
            lambda lines: masker.lines(objective.worth(lines, centred=tuned), weight),
        )
    system = System(objective, dense, centred=tuned, dtype=torch.float64)
    equations, held = system.damped(settings.ridge), system.dense
    if settings.remask:
        held, mask = alternate(
            equations, mask, settings.remask, lambda scores: masker.lines(scores, weight)
        )
    new = solve_masked(equations, mask, held) / system.scale
    if tuned:
        shift = objective.best_shift(new)
    return new.to(dense.dtype), shift.to(dense.dtype), mask
