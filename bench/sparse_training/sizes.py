"""How much is run: a look in seconds, some minutes, everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .arms import ARMS, DENSE, FEW, Arm
from .records import WINDOW
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
    seeds : int
        Unless the command says otherwise.
    """

    name: str
    tasks: tuple[Task, ...]
    arms: tuple[Arm, ...]
    seeds: int


SMOKE = (DENSE, Arm("4:8"), Arm("4:8", "greedy"), Arm("4:8", every=WINDOW))
HALF = tuple(replace(task, steps=task.steps // 2 // task.check * task.check) for task in TASKS)
SIZES = {
    size.name: size
    for size in (
        Size(
            "smoke",
            tuple(replace(task, steps=2 * WINDOW, check=WINDOW) for task in TASKS),
            SMOKE,
            2,
        ),
        Size("quick", HALF, FEW, 3),
        Size("full", TASKS, ARMS, 5),
    )
}
