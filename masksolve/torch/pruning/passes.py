"""A block pruned stage by stage, as its inputs pass through it.

Sequential: what goes in is what the pruned blocks before give, and so on within the block. A matrix
is fitted to what it gave in the dense network on the dense network's own hidden states. One whose
product is added to a stream is fitted to what that stream was in the dense network, less all else
that is added to it in the pruned one: so it makes up for what was lost before it.

Parallel: what goes in, and what should come out, is the dense network's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from masksolve.torch.pruning.blocks import Call
from masksolve.torch.pruning.following import Following, Meeting
from masksolve.torch.pruning.layers import Layers, Sums
from masksolve.torch.pruning.plan import Plan, Stage, look
from masksolve.torch.pruning.products import Key, Weights
from masksolve.torch.pruning.runs import Again, Run, Waiting

__all__ = ["Batch", "Outcome", "prune_block"]

_DOUBLE = torch.float64


class Batch(Protocol):
    """A batch at a block."""

    @property
    def held_out(self) -> bool:
        """Whether it only judges."""
        ...

    def call(self, stream: str) -> Call:
        """Return how the block is called with it in a stream, ``"dense"`` or ``"pruned"``."""
        ...

    def put(self, stream: str, states: Tensor) -> None:
        """Take what the block gives."""
        ...


@dataclass(slots=True)
class Outcome:
    """What became of a block.

    Attributes
    ----------
    plan : Plan
    errors : dict of str to float
        Squared errors of its hidden states in shares of theirs, ``fit`` and ``held_out``.
    """

    plan: Plan
    errors: dict[str, float]


def prune_block(
    module: nn.Module,
    layers: Layers,
    batches: Sequence[Batch],
    *,
    parallel: bool,
    waiting: bool,
    room: int,
) -> Outcome:
    """Fit the matrices of a block, and give each batch's hidden states after it.

    Parameters
    ----------
    module : Module
        The block, whose own weights stay dense.
    layers : Layers
        Of its matrices; filled.
    batches : sequence of Batch
    parallel : bool
    waiting : bool
        Whether memory allows runs to wait at each stage.
    room : int
        Bytes that sums for matrices of a stage may take together.
    """
    weights = Weights(dict(layers.parameters))
    first = batches[0].call("dense")
    rows = first.states.numel() // first.states.shape[-1]
    plan = look(weights, layers.called, rows, lambda: first.run(module))
    waiting = waiting and not any(stage.routed for stage in plan.stages)
    passing = _Passing(module, layers, weights, plan, batches, parallel, waiting, room)
    return Outcome(plan, passing.go())


class _Passing:
    """All batches on their way through a block, in one stream or two."""

    def __init__(
        self,
        module: nn.Module,
        layers: Layers,
        weights: Weights,
        plan: Plan,
        batches: Sequence[Batch],
        parallel: bool,
        waiting: bool,
        room: int,
    ) -> None:
        self._module, self._layers, self._weights = module, layers, weights
        self._plan, self._batches, self._room = plan, batches, room
        self._parallel = parallel
        kind: type[Waiting] | type[Again] = Waiting if waiting else Again
        self._dense = [self._run(kind, batch, "dense") for batch in batches]
        self._pruned = (
            self._dense if parallel else [self._run(kind, batch, "pruned") for batch in batches]
        )

    def _run(self, kind: type[Waiting] | type[Again], batch: Batch, stream: str) -> Run:
        fitted = self._layers.fitted if stream == "pruned" else None

        def follow(meet: Callable[[Meeting], None]) -> Following:
            sums = not self._parallel
            return Following(self._weights, self._plan, meet, fitted, sums=sums)

        return kind(lambda: batch.call(stream).run(self._module), follow)

    def go(self) -> dict[str, float]:
        """Fit all stages; return the errors of what comes out."""
        with ExitStack() as stack:
            stack.callback(self._let_go)
            for number, stage in enumerate(self._plan.stages):
                if stage.routed:
                    self._fit_routed(number, stage)
                else:
                    sums = self._sum(number, stage)
                    self._layers.fit(stage.matrices, None, sums)
            return self._finish()

    def _let_go(self) -> None:
        """End all runs; they and this hold each other, and with them all of the block."""
        for run in (*self._dense, *self._pruned):
            run.close()
        self._dense = self._pruned = []

    def _sum(self, number: int, stage: Stage) -> Sums:
        """Bring all batches to a stage, and sum up what is seen there."""
        sums = Sums(self._layers.features(stage.matrices[0]))
        for batch, dense, pruned in zip(self._batches, self._dense, self._pruned, strict=True):
            now = pruned.reach(number)
            before = now if self._parallel else dense.reach(number)
            if now is None:
                continue
            inputs, moments = _rows(now.inputs), sums.of(batch.held_out)
            if before is None or self._parallel:
                moments.add(inputs)
            elif now.sum is not None and before.sum is not None:
                moments.add(inputs, wanted=_rows(before.sum) - _rows(now.sum))
            else:
                moments.add(inputs, dense=_rows(before.inputs))
        return sums

    def _fit_routed(self, number: int, stage: Stage) -> None:
        """Fit matrices that see some tokens each: to what their dense weights give on these."""
        for keys in self._portions(stage):
            sums = {key: Sums(self._features(stage, key)) for key in keys}
            for batch, run in zip(self._batches, self._pruned, strict=True):
                assert isinstance(run, Again)
                run.collect(number, partial(_collect, sums, batch.held_out))
            for key in keys:
                matrix = next(one for one in stage.matrices if one.name == key[0])
                self._layers.fit([matrix], key[1], sums.pop(key))

    def _portions(self, stage: Stage) -> list[list[Key]]:
        """Cut the matrices of a stage into portions whose sums memory can hold."""
        keys: list[Key] = []
        for matrix in stage.matrices:
            held = self._layers.parameters[matrix.name]
            keys += [(matrix.name, k) for k in (range(len(held)) if held.ndim == 3 else [None])]
        size = 16 * max(self._features(stage, key) for key in keys) ** 2
        count = max(1, self._room // size)
        return [keys[k : k + count] for k in range(0, len(keys), count)]

    def _features(self, stage: Stage, key: Key) -> int:
        return self._layers.features(next(one for one in stage.matrices if one.name == key[0]))

    def _finish(self) -> dict[str, float]:
        """Bring all batches to the end."""
        lost, whole = {False: 0.0, True: 0.0}, {False: 0.0, True: 0.0}
        for batch, dense, pruned in zip(self._batches, self._dense, self._pruned, strict=True):
            states = dense.finish()
            batch.put("dense", states)
            if self._parallel:
                continue
            now = pruned.finish()
            batch.put("pruned", now)
            whole[batch.held_out] += float(states.square().sum(dtype=_DOUBLE))
            lost[batch.held_out] += float((now - states).square().sum(dtype=_DOUBLE))
        kinds = {"fit": False, "held_out": True}
        return {name: lost[kind] / whole[kind] for name, kind in kinds.items() if whole[kind]}


def _collect(sums: dict[Key, Sums], held_out: bool, met: Meeting) -> None:
    product = met.product
    assert product is not None
    if product.whole:
        for k, inputs in enumerate(met.inputs):
            if (product.name, k) in sums:
                sums[product.name, k].of(held_out).add(_rows(inputs))
    elif (product.name, product.index) in sums:
        sums[product.name, product.index].of(held_out).add(_rows(met.inputs))


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])
