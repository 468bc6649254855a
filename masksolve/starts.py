"""Warm starts: validated at the door, cut out box by box for the solvers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from masksolve.checks import refuse_violation
from masksolve.errors import InvalidInput
from masksolve.inputs import as_mask
from masksolve.problem import Problem
from masksolve.result import MaskResult
from masksolve.solvers import Method
from masksolve.tiles import Box

__all__ = ["MaskStart", "PotentialStart", "Start", "as_start", "mask_for"]


class Start(Protocol):
    """Where the solvers of a problem start from."""

    def tiles(self, box: Box) -> NDArray[Any]:
        """Return what a `TileSolver` gets."""
        ...


class PotentialStart:
    """Column potentials of an earlier result, and its mask."""

    def __init__(self, earlier: Any, problem: Problem) -> None:
        if not isinstance(earlier, MaskResult):
            raise InvalidInput(f"warm_start must be a MaskResult, got {type(earlier).__name__}")
        mine = (problem.pattern, problem.shape, problem.axes)
        theirs = (earlier.pattern, earlier.mask.shape, earlier.axes)
        for name, a, b in zip(("pattern", "shape", "axes"), theirs, mine, strict=True):
            if a != b:
                raise InvalidInput(f"warm_start has {name} {a}: expected {b}")
        v = earlier.tiles.column_potentials
        if v is None:
            raise InvalidInput("warm_start holds no potentials: solve it with potentials=True")
        layout, m = problem.layout, problem.pattern.m
        shape = (*layout.batch_shape, *layout.grid, m)
        if v.shape != shape:
            raise InvalidInput(f"warm_start has potentials of shape {v.shape}: expected {shape}")
        self._potentials = v.reshape(*layout.stack_shape, m)
        self._mask = earlier.mask
        self._layout = layout

    def tiles(self, box: Box) -> NDArray[np.float64]:
        """Cut out column potentials (t, m)."""
        return self._potentials[box.index].reshape(-1, self._potentials.shape[-1])

    def mask(self, box: Box) -> NDArray[np.bool_]:
        """Cut out the earlier mask, its matrices stacked."""
        window = self._layout.window(self._mask, box)
        return window if window.ndim == 2 else window.reshape(-1, window.shape[-1])


class MaskStart:
    """A mask from anywhere whose lines hold at most n."""

    def __init__(self, earlier: Any, problem: Problem) -> None:
        mask = earlier.mask if isinstance(earlier, MaskResult) else earlier
        self._mask = mask_for(mask, problem.shape, "warm_start")
        self._layout = problem.layout
        refuse_violation(self._mask, problem.layout, problem.pattern, short=False)

    def tiles(self, box: Box) -> NDArray[np.bool_]:
        """Cut out masks (t, h, w)."""
        return self._layout.gather(self._mask, box, np.bool_)


def as_start(warm_start: Any, method: Method, problem: Problem) -> Start | None:
    """Read a warm start as what the method makes use of."""
    if warm_start is None:
        return None
    if method.warm is None:
        raise InvalidInput(f"method {method.name!r} makes no use of warm_start")
    kinds: dict[str, type[PotentialStart] | type[MaskStart]]
    kinds = {"potentials": PotentialStart, "masks": MaskStart}
    return kinds[method.warm](warm_start, problem)


def mask_for(mask: Any, shape: tuple[int, ...], name: str = "mask") -> NDArray[np.bool_]:
    """Validate a mask from outside: 0 and 1 only, in the shape of the weights."""
    found = as_mask(mask, name)
    if found.shape != shape:
        raise InvalidInput(f"{name} has shape {found.shape}: expected that of weights, {shape}")
    return found
