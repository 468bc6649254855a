"""New masks for layers: solved together, and put in place once all of them are proven."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from masksolve.compiling import Stopwatch
from masksolve.inputs import as_threads
from masksolve.result import MaskResult
from masksolve.tasks import Task
from masksolve.threads import for_each, worthwhile
from masksolve.torch.devices import Begun, carry_out, settle
from masksolve.torch.layer import Layer
from masksolve.torch.results import DeviceResult
from masksolve.torch.training.flips import flips_of
from masksolve.torch.training.history import LayerRecord
from masksolve.torch.training.skipped import naming

__all__ = ["Renewal", "put_in_place", "solve_together"]


class Renewal:
    """A layer's next mask, which is on the way.

    Parameters
    ----------
    layer : Layer
    begun : Task or DeviceResult
    scores : Tensor
        That it is for.
    busy : float
        Seconds that getting there took.

    Attributes
    ----------
    layer : Layer
    changes : ndarray of uint32
        The places where it differs from the last one.
    busy : float
        Seconds that it took so far, of several threads together.
    """

    def __init__(self, layer: Layer, begun: Begun, scores: Tensor, busy: float) -> None:
        self.layer, self.busy = layer, busy
        self.changes: NDArray[np.uint32] = np.empty(0, dtype=np.uint32)
        self._begun, self._scores = begun, scores
        self._result: MaskResult | DeviceResult | None = None

    @property
    def begun(self) -> Begun:
        """What solves it."""
        return self._begun

    @property
    def result(self) -> MaskResult | DeviceResult:
        """What was found."""
        assert self._result is not None
        return self._result

    @property
    def is_array(self) -> bool:
        """Whether any thread may put it in place: devices have a stream for each."""
        return isinstance(self._begun, Task) and self.layer.mask.is_cpu

    def settle(self, step: int) -> None:
        """Wait for the solver; raises what it has to say against the scores, by their name."""
        with naming(self.layer, step):
            self._result = settle(self._begun)
        if isinstance(self._begun, Task):
            self.busy += self._begun.busy

    def write(self) -> None:
        """See what changes, and change it."""
        watch = Stopwatch()
        mask = self.result.mask.reshape(self.layer.mask.shape)
        self.changes = flips_of(self.layer, mask)
        self.layer.masked.copy(mask)
        self.busy += watch.seconds

    def declare(self) -> None:
        """Have the layer know what it has got."""
        self.layer.masked.declare(self.result.pattern)
        self.layer.result = self.result

    def record(self, seconds: float) -> LayerRecord:
        """Tell what came of it."""
        self.layer.seconds += seconds
        return LayerRecord(
            self.layer.mask.numel(),
            self.changes.size,
            self.result.objective,
            self._total(),
            self.result.gap,
            seconds,
        )

    def _total(self) -> float:
        if isinstance(self._begun, Task):
            return self._begun.problem.total
        # Single precision sums in pieces: good to six digits.
        wide = torch.promote_types(self._scores.dtype, torch.float32)
        return float(torch.linalg.vector_norm(self._scores, 1, dtype=wide))


def solve_together(renewals: Sequence[Renewal], threads: int | None) -> None:
    """Have the engine find the masks that are its to find."""
    carry_out([renewal.begun for renewal in renewals], threads)


def put_in_place(
    renewals: Sequence[Renewal], watch: Stopwatch, threads: int | None
) -> dict[str, LayerRecord]:
    """Write masks that are solved, and record each with its share of the seconds so far.

    Nothing of an array may wake torch's threads: for a while they would spin where ours are at
    work.
    """
    arrays = [renewal for renewal in renewals if renewal.is_array]
    entries = sum([renewal.layer.mask.numel() for renewal in arrays])
    for_each(arrays, Renewal.write, threads=min(as_threads(threads), worthwhile(entries)))
    for renewal in renewals:
        if not renewal.is_array:
            renewal.write()
        renewal.declare()
    busy = sum([renewal.busy for renewal in renewals])
    share = watch.seconds / busy if busy else 0.0
    return {each.layer.name: each.record(share * each.busy) for each in renewals}
