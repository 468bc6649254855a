"""Dykstra's projections for all tiles in step; see `masksolve.kernels.entropic` for why.

Tiles come last in memory, so that every sum runs along neighbouring numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Schedule", "plans", "precise_enough", "range_of"]


@dataclass(frozen=True)
class Schedule:
    """The options of `masksolve.solvers.entropic`."""

    sharpness: float
    doublings: int
    rounds: int
    tolerance: float


def range_of(dtype: torch.dtype) -> tuple[float, float]:
    """Return the largest exponent to begin with, and the largest number to be squared.

    In double precision that is what the options allow, and what nothing reaches.
    """
    return (600.0, 2.0**510) if dtype == torch.float64 else (80.0, 2.0**60)


def precise_enough(scores: Tensor, sharpness: float, doublings: int) -> Tensor:
    """Return scores in double precision if what they begin with goes beyond single's range."""
    begin = sharpness * 0.5**doublings
    return scores.double() if 2 * begin > range_of(scores.dtype)[0] else scores


def plans(scores: Tensor, n: int, at_most: bool, schedule: Schedule) -> Tensor:
    """Return y of scores (tiles, m, m), whose cut at 1 is the plan.

    Every round is done for all tiles, those that are done included: nobody asks the device
    whether that is the case.
    """
    limit, largest = range_of(scores.dtype)
    s = scores.permute(1, 2, 0)
    size = s.abs().amax((0, 1))
    size = torch.where(size > 0, size, 1)
    y = (s / size).contiguous()
    if not at_most:
        y -= s.amax(1, keepdim=True) / size
    y *= schedule.sharpness * 0.5**schedule.doublings
    y.clamp_(-limit, limit).exp_()
    slack = torch.full_like(y[:1], 1.0 if at_most else torch.inf).expand(2, *y[0].shape).clone()
    for stage in range(schedule.doublings + 1):
        if stage:
            y.clamp_(max=largest).square_()
            slack.square_()
        _project(y, slack, n, _share(schedule, stage), schedule.tolerance)
    return y.permute(2, 0, 1).contiguous()


def _share(schedule: Schedule, stage: int) -> int:
    stages = schedule.doublings + 1
    return schedule.rounds * (stage + 1) // stages - schedule.rounds * stage // stages


def _project(y: Tensor, slack: Tensor, n: int, rounds: int, tolerance: float) -> None:
    """Scale y and slack in place; a tile that is done stays as it is."""
    going = torch.ones_like(y[0, 0], dtype=torch.bool)
    cut = torch.empty_like(y)
    for _ in range(rounds):
        torch.clamp(y, max=1, out=cut)
        r = _factor(cut.sum(1), slack[0], going, n)
        cut *= r.unsqueeze(1)
        c = _factor(cut.sum(0), slack[1], going, n)
        y *= r.unsqueeze(1)
        y *= c
        moved = torch.maximum((r - 1).abs().amax(0), (c - 1).abs().amax(0))
        going &= moved >= tolerance


def _factor(total: Tensor, slack: Tensor, going: Tensor, n: int) -> Tensor:
    factor = torch.where(going, torch.minimum(slack, n / total), 1)
    slack /= factor
    return factor
