"""How much is run: a look in seconds, everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .arms import DENSE, Arm
from .tasks import TASKS, Task

__all__ = ["SIZES", "Size"]


@dataclass(frozen=True)
class Size:
    """What a run of the experiment covers.

    Attributes
    ----------
    name : str
    tasks : tuple of Task
    seeds : int
        Unless the command says otherwise.
    """

    name: str
    tasks: tuple[Task, ...]
    seeds: int


FEW = (DENSE, Arm(1e-2), Arm(5e-2), Arm(1e-1), Arm(5e-2, m=8), Arm(pattern="2:8"))
"""Some of each kind, with alphas for a few steps."""


def _glance() -> tuple[Task, ...]:
    lenet, _, lstm, _ = TASKS
    return (
        replace(lenet, epochs=4, every=1, arms=FEW),
        replace(lstm, epochs=2, every=1, arms=FEW[:3]),
    )


SIZES = {size.name: size for size in (Size("smoke", _glance(), 2), Size("full", TASKS, 5))}
