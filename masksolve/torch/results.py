"""What was solved on a device, before and after the host has looked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from masksolve.errors import InvalidInput, InvalidScore
from masksolve.limits import LARGEST_INTEGER, LARGEST_SCORE
from masksolve.pattern import Pattern
from masksolve.result import MaskResult

__all__ = ["DeviceResult", "first_bad", "inexact"]


@dataclass(eq=False)
class DeviceResult:
    """A mask on a device that may still be at work on it.

    Attributes
    ----------
    mask : Tensor of bool
        Of the tensor's matrices, on its device.
    pattern : Pattern
    column_potentials : Tensor of float64, (tiles, m), or None
        To start from next time.
    """

    mask: Tensor
    pattern: Pattern
    column_potentials: Tensor | None
    _verdict: Tensor
    _flags: Tensor
    _refusal: Callable[[], InvalidInput] | None
    _on_cpu: Callable[[], MaskResult] | None
    _numbers: tuple[float, float] | None = field(default=None, init=False)

    def check(self) -> DeviceResult:
        """Wait for the device, once, and see that every tile is proven.

        Raises
        ------
        InvalidInput
            Naming the first score that is not finite.
        """
        if self._numbers is None:
            objective, gap, bad, unproven, *_ = torch.cat(
                [self._verdict, self._flags.to(torch.float64)]
            ).tolist()
            assert self._refusal is not None
            assert self._on_cpu is not None
            if bad:
                raise self._refusal()
            if unproven:
                objective, gap = self._solve_again(int(unproven), self._on_cpu)
            self._numbers = objective, gap
            self._refusal = self._on_cpu = None  # they hold the scores, and cannot be pickled
        return self

    def require(self) -> None:
        """Let the device itself stop if a tile is not proven: the host does not wait.

        For what a compiler or a CUDA graph records.
        """
        torch._assert_async(
            (self._flags == 0).all(), "masksolve: a score is not finite, or a tile not proven"
        )

    def _solve_again(self, unproven: int, on_cpu: Callable[[], MaskResult]) -> tuple[float, float]:
        warnings.warn(
            f"{unproven} tiles could not be proven on {self.mask.device}: "
            "the CPU engine solves them all",
            stacklevel=3,
        )
        found = on_cpu()
        self.mask.copy_(torch.from_numpy(found.mask))
        return found.objective, found.gap or 0.0

    @property
    def objective(self) -> float:
        """The score that the mask keeps."""
        return self._known()[0]

    @property
    def gap(self) -> float:
        """How far the proven bound is above it."""
        return self._known()[1]

    def _known(self) -> tuple[float, float]:
        self.check()
        assert self._numbers is not None
        return self._numbers


def inexact(scores: Tensor) -> Tensor:
    """Mark the 64-bit integers that float64 does not hold."""
    signed = scores.view(torch.int64)  # of uint64 torch compares little
    least = 0 if scores.dtype == torch.uint64 else -LARGEST_INTEGER
    return (signed > LARGEST_INTEGER) | (signed < least)


def first_bad(scores: Tensor, name: str) -> InvalidInput:
    """Make the error that says where the first bad score of a tensor is."""
    if scores.dtype in (torch.int64, torch.uint64):
        bad = inexact(scores).nonzero()
        if len(bad):
            worst = scores[tuple(bad[0])].item()
            return InvalidInput(
                f"{name} holds {worst}: integers beyond 2**53 are not exact in float64"
            )
    for k, part in enumerate(scores):  # by slices of the first axis: little memory
        good = part.to(torch.float64).abs() <= LARGEST_SCORE
        if not good.all():
            index = (k, *(int(i) for i in (~good).nonzero()[0]))
            return InvalidScore(name, index, float(scores[index]))
    return InvalidInput(f"{name} changed while it was read")
