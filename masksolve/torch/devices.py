"""Who solves a tensor: the one place that decides.

=======  =========================================================================
kernels  ``exact`` for transposable patterns, on CUDA devices that Triton serves
batched  ``greedy``, ``two_approx``, ``entropic`` and plain N:M, on such devices
engine   everything else, on the CPU: its memory is read where it lies, that of
         other devices is copied
=======  =========================================================================

`masksolve.torch.gpu.support` says which devices Triton serves, and why others not.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.inputs import as_threads
from masksolve.pattern import Pattern
from masksolve.problem import Problem, warn_of_kernels
from masksolve.result import MaskResult
from masksolve.solvers import METHODS, as_options, find_method
from masksolve.solving import task_of
from masksolve.tasks import Task, run_together
from masksolve.torch.arrays import as_array, refuse_unfit
from masksolve.torch.batched import IN_TORCH, BatchedMethods
from masksolve.torch.layouts import Layout
from masksolve.torch.results import DeviceResult

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Begun",
    "batched_methods",
    "begin",
    "carry_out",
    "mask_of",
    "serves",
    "settle",
    "solver_of",
]

Solver: TypeAlias = Literal["kernels", "batched", "engine"]


Begun: TypeAlias = Task | DeviceResult
"""What waits for the engine, or is under way on a device."""


def serves(tensor: Tensor) -> bool:
    """Tell whether a tensor's own device can solve it; warn once if a GPU cannot."""
    if tensor.device.type != "cuda":
        return False
    from masksolve.torch.gpu.support import is_able

    return bool(is_able(tensor.device))


def solver_of(scores: Tensor, pattern: Pattern, method: str) -> Solver:
    """Decide who solves scores; see the table above."""
    if not (isinstance(scores, Tensor) and serves(scores)):
        return "engine"
    if method == "exact" and pattern.transposable:
        return "kernels" if pattern.n < pattern.m else "engine"
    return "batched" if method in IN_TORCH.of(pattern.transposable) else "engine"


def batched_methods(device: torch.device) -> BatchedMethods:
    """Choose how batched methods run on a device: one kernel each, or step by step in torch."""
    if device.type != "cuda":
        return IN_TORCH
    from masksolve.torch.gpu.support import why_not

    if why_not(device) is not None:
        return IN_TORCH
    from masksolve.torch.gpu.fused import FUSED  # which brings Triton

    return FUSED


def begin(
    scores: Tensor,
    layout: Layout,
    pattern: Pattern,
    *,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    magnitude: bool = False,
    warm_start: MaskResult | DeviceResult | None = None,
    potentials: bool = False,
    threads: int | None = None,
    name: str = "tensor",
    totals: bool = False,
) -> Begun:
    """Have the kernels solve scores, which go on by themselves, or make ready for the engine.

    `carry_out` has the engine do it, `settle` waits for the kernels, too.

    Parameters
    ----------
    scores : Tensor
        That `refuse_unfit` lets pass.
    layout : Layout
    pattern : Pattern
    method, options, threads
        As for `masksolve.solve`.
    magnitude : bool
        Whether scores are the entries' magnitudes, or else the entries.
    warm_start : MaskResult or DeviceResult, optional
        An earlier result for such scores; one from elsewhere is passed over.
    potentials : bool
        Keep them, to start from next time.
    name : str
        What the scores are called in sentences about them.
    totals : bool
        Have the engine add up the magnitudes of all scores, too.

    Raises
    ------
    InvalidInput, InvalidPattern, UnknownMethod
        As for `masksolve.solve`.
    """
    if solver_of(scores, pattern, method) == "kernels":
        from masksolve.torch.gpu.launch import launch

        as_options(method, METHODS[method].options, options)
        start = warm_start.column_potentials if isinstance(warm_start, DeviceResult) else None
        if start is not None and start.device != scores.device:
            start = None  # the model was moved
        return launch(
            layout.matrices(scores),
            pattern,
            magnitude=magnitude,
            axes=layout.matrix_axes,
            name=name,
            start=start,
            potentials=potentials,
        )
    matrices = layout.matrices(as_array(scores, name))
    score = np.abs if magnitude else None
    axes = layout.matrix_axes
    problem = Problem(matrices, pattern, score, axes, threads, potentials, totals=totals)
    warn_of_kernels(problem.layout)
    start = warm_start if isinstance(warm_start, MaskResult) else None
    return task_of(problem, method, options, start)


def carry_out(begun: Sequence[Begun], threads: int | None) -> None:
    """Have the engine do its part, all of it together; `settle` tells what came of it."""
    tasks, threads = [each for each in begun if isinstance(each, Task)], as_threads(threads)
    with suppress(InvalidInput):  # whose it is `settle` says
        run_together(tasks, threads)


def settle(begun: Begun) -> MaskResult | DeviceResult:
    """Return what was found, all of it proven; of a device it is waited for.

    Raises
    ------
    InvalidInput
        Naming the first score that is not finite. What began later may not be done.
    """
    if isinstance(begun, DeviceResult):
        return begun.check()
    return begun.result()


def mask_of(
    scores: Tensor,
    layout: Layout,
    pattern: Pattern,
    *,
    shape: Sequence[int],
    method: str,
    options: Mapping[str, float] | None,
    magnitude: bool,
    threads: int | None,
    name: str,
) -> Tensor:
    """Solve scores by whoever is quickest, and wait for the mask, which is where they are.

    The other arguments are those of `begin`; `shape` is what scores must have.
    """
    find_method(method, pattern)
    refuse_unfit(scores, shape, name, "tensor")
    if solver_of(scores, pattern, method) == "batched":
        from masksolve.torch.gpu.launch import mask_by

        return mask_by(
            layout.matrices(scores),
            pattern,
            batched_methods(scores.device),
            method=method,
            options=options,
            magnitude=magnitude,
            axes=layout.matrix_axes,
            name=name,
        ).reshape(tuple(shape))
    begun = begin(
        scores,
        layout,
        pattern,
        method=method,
        options=options,
        magnitude=magnitude,
        threads=threads,
        name=name,
    )
    if isinstance(begun, Task):
        return torch.from_numpy(begun.run().result().mask).view(tuple(shape))
    if torch.compiler.is_compiling() or (
        scores.is_cuda and torch.cuda.is_current_stream_capturing()
    ):
        begun.require()
    else:
        begun.check()
    return begun.mask.reshape(tuple(shape))
