"""How much memory and disk a run takes, told before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from masksolve.checkpoints.source import Checkpoint
from masksolve.errors import InvalidInput
from masksolve.torch.pruning.inputs import Batches
from masksolve.torch.pruning.layers import WIDE
from masksolve.torch.pruning.settings import PruneSettings

__all__ = ["Needs"]

SINGLE = 4
"""Bytes of a number, as all is computed."""
BASE = 700_000_000
"""Bytes of a process that prunes nothing yet: Python, torch, transformers, compiled kernels."""
COPIES = {"admm": 11, "sparsegpt": 10, "wanda": 9, "magnitude": 9}
"""Matrices of products that are held at once: sums, held-out ones, equations, decompositions."""
THREADS = 64
"""In which runs may wait: each is one of many small ones more to the system."""


class _Model(Protocol):
    checkpoint: Checkpoint
    sources: dict[str, list[str]]

    def names(self, prefix: str) -> list[str]: ...

    def outer(self, blocks: Iterable[str]) -> list[str]: ...


@dataclass(frozen=True)
class Needs:
    """What a run takes.

    Attributes
    ----------
    disk : int
        Bytes: blocks that are done, hidden states, and the output.
    memory : int
        Bytes that the largest block takes.
    room : int
        Bytes that are left: for hidden states, and for sums of experts.
    waiting : bool
        Whether runs may wait at each stage, with what they have computed so far.
    """

    disk: int
    memory: int
    room: int
    waiting: bool

    @classmethod
    def of(
        cls,
        model: _Model,
        wanted: Mapping[str, Mapping[str, Any]],
        batches: Batches,
        settings: PruneSettings,
    ) -> Needs:
        """Work out what a run takes.

        Raises
        ------
        InvalidInput
            If memory is too little for a block, saying how much it takes.
        """
        tensors = model.checkpoint.tensors

        def entries(names: Iterable[str]) -> int:
            return sum(prod(tensors[own].shape) for name in names for own in model.sources[name])

        sides = [
            side
            for names in wanted.values()
            for name in names
            for own in model.sources[name]
            for side in tensors[own].shape[-2:]
        ]
        widest = max(sides)
        outer = entries(model.outer(wanted)) * SINGLE
        blocks = {name: entries(model.names(name)) for name in wanted}
        largest = max(blocks, key=lambda name: blocks[name])
        pruned = entries(wanted[largest])
        number = SINGLE if widest > WIDE else 2 * SINGLE
        sums = COPIES[settings.fit.algorithm] * number * widest**2
        memory = BASE + outer + blocks[largest] * SINGLE + pruned * (SINGLE + 1) + sums
        most = int(settings.memory)
        if memory > most:
            raise InvalidInput(
                f"memory {most / 1e9:.2f}GB is too little: {largest} takes {memory / 1e9:.2f}GB, "
                f"{sums / 1e9:.2f}GB of it for what is fitted to {widest} inputs"
            )
        rows = sum(one.numel() for inputs in batches.inputs for one in inputs.values())
        width = min(sides)
        waiting = rows * (6 * width + 3 * widest) * 2 * SINGLE
        states = rows * width * SINGLE * 2
        room = most - memory
        waits = waiting <= room // 2 and 2 * len(batches.inputs) <= THREADS
        output = sum(file.path.stat().st_size for file in model.checkpoint.shards.values())
        masked = sum(entries(names) for names in wanted.values())
        held = sum(
            tensors[o].nbytes for ns in wanted.values() for n in ns for o in model.sources[n]
        )
        disk = output + held + masked // 4 + 2 * states
        return cls(disk, memory, max(room // 2, 1), waits)
