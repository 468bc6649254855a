"""How much is run: a look in seconds, some minutes, everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .arms import ARMS, DENSE, FEW, WINDOW, Arm
from .tasks import TASKS, Task

__all__ = ["SIZES", "Size"]


@dataclass(frozen=True)
class Size:
    """What a run of the experiment covers.

    Attributes
    ----------
    name : str
    tasks : tuple of Task
    arms : tuple of Arm
    """

    name: str
    tasks: tuple[Task, ...]
    arms: tuple[Arm, ...]

    def settings(self) -> dict[str, Any]:
        """Return what runs must have in common; more seeds may be asked for later."""
        tasks = [task.to_dict() for task in self.tasks]
        for task in tasks:
            del task["seeds"]
        return {"size": self.name, "tasks": tasks}

    def of_seeds(self, seeds: int) -> Size:
        """Run every arm of every task with so many seeds instead."""
        return replace(self, tasks=tuple(replace(task, seeds=seeds) for task in self.tasks))


SMOKE = (DENSE, Arm("4:8"), Arm("4:8", "greedy"), Arm("4:8", every=WINDOW))
SIZES = {
    size.name: size
    for size in (
        Size(
            "smoke",
            tuple(replace(task, seeds=2, steps=2 * WINDOW, check=WINDOW) for task in TASKS),
            SMOKE,
        ),
        Size(
            "quick",
            tuple(replace(t, seeds=3, steps=t.steps // 2 // t.check * t.check) for t in TASKS),
            FEW,
        ),
        Size("full", TASKS, ARMS),
    )
}
