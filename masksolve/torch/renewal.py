"""The solver's call for a layer: on the layer's device, or on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from torch import Tensor

from masksolve.pattern import Pattern
from masksolve.result import MaskResult
from masksolve.solve import solve
from masksolve.torch.layouts import Layout
from masksolve.torch.solving import is_solved_there

if TYPE_CHECKING:
    from masksolve.torch.gpu.results import DeviceResult
else:  # which would bring Triton
    DeviceResult: TypeAlias = Any

__all__ = ["DeviceResult", "settle", "solve_layer", "solved_on_device"]


def solved_on_device(scores: Tensor, pattern: Pattern, method: str) -> bool:
    """Tell whether a layer's mask is found, proven and renewed without leaving its device."""
    if not (isinstance(scores, Tensor) and is_solved_there(scores)):
        return False
    from masksolve.torch.gpu.masks import takes

    return takes(pattern, method)


def solve_layer(
    scores: Any,
    layout: Layout,
    pattern: Pattern,
    *,
    method: str,
    options: Mapping[str, float] | None,
    magnitude: bool,
    warm_start: MaskResult | DeviceResult | None,
    potentials: bool,
    threads: int | None,
) -> MaskResult | DeviceResult:
    """Solve a layer's scores: a tensor on its device, which goes on by itself; or an array."""
    matrices, axes = layout.matrices(scores), layout.matrix_axes
    if isinstance(scores, Tensor):
        from masksolve.torch.gpu.masks import launch

        start = getattr(warm_start, "column_potentials", None)
        if start is not None and start.device != scores.device:
            start = None  # the model was moved
        return launch(
            matrices, pattern, magnitude=magnitude, axes=axes, start=start, potentials=potentials
        )
    return solve(
        matrices,
        pattern,
        method=method,
        options=options,
        score=np.abs if magnitude else None,
        axes=axes,
        warm_start=warm_start if isinstance(warm_start, MaskResult) else None,
        potentials=potentials,
        threads=threads,
    )


def settle(result: MaskResult | DeviceResult) -> None:
    """Wait for a device to be done, and see that all is proven."""
    if not isinstance(result, MaskResult):
        result.check()
