"""Steps that were none: a loss scaler skipped them, or their gradients are not finite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from masksolve.errors import InvalidInput, InvalidScore
from masksolve.inputs import as_threads
from masksolve.threads import for_each, worthwhile
from masksolve.torch.distributed import is_spread, whole
from masksolve.torch.gathering import Skipped, version
from masksolve.torch.layer import Layer
from masksolve.totals import magnitudes

__all__ = ["Count", "look_at", "naming", "not_finite", "refuse_ruined"]

PIECE, SMALL = 1 << 19, 1 << 12
"""Entries of a gradient that a thread reads at once; and of those that it reads together."""


class Count:
    """How many steps were taken, and how many were none; on a device nobody waits to know.

    What a device has not told yet counts as taken. So the count is never behind, and whoever
    asks at each step that would matter misses none.
    """

    def __init__(self) -> None:
        self.taken = self.dropped = 0
        self._unread: Tensor | None = None

    def add(self, skipped: Skipped) -> None:
        """Count a step, or note that it was none."""
        if isinstance(skipped, Tensor):
            unread = skipped.int()
            if self._unread is not None:
                unread += self._unread.to(unread.device)
            self._unread = unread
        self.dropped += skipped is True
        self.taken += skipped is not True

    def settle(self) -> int:
        """Wait for the device, and return how many of the steps that it kept were none."""
        none = 0 if self._unread is None else int(self._unread)
        self._unread = None
        self.taken -= none
        self.dropped += none
        return none


def not_finite(
    gradients: Iterable[Tensor], found: Iterable[Tensor] = (), threads: int | None = None
) -> Skipped:
    """Tell whether any gradient is not finite, for all processes that share them alike.

    Parameters
    ----------
    gradients : iterable of Tensor
    found : iterable of Tensor
        What loss scalers found, more than zero for gradients that are not finite.
    threads : int, optional
        For what the CPU can read; default: every core.

    Returns
    -------
    bool or Tensor
        Of gradients on a device a flag of bool that lies there: nobody has waited for it.
    """
    here, there, groups = False, defaultdict(list), set()
    vectors = []
    for gradient in gradients:
        if _is_plain(gradient):
            vectors.append(gradient.numpy().reshape(-1))
            continue
        if is_spread(gradient):
            mesh = gradient.device_mesh
            groups |= {mesh.get_group(axis) for axis in range(mesh.ndim)}
        mine = _numbers(gradient)
        if mine.is_meta or not mine.numel():
            continue
        if at_hand(mine):
            low, high = torch.aminmax(mine)  # a tenth of the time of other ways
            here = here or not bool(low.isfinite() & high.isfinite())
        else:
            there[mine.device, mine.dtype].append(mine)
    here = here or not _all_finite(vectors, threads)
    flags = [_any_not_finite(same) for same in there.values()]
    for flag in found:
        if at_hand(flag):
            here = here or bool(flag)
        else:
            flags.append(flag > 0)
    if not flags and not groups:
        return here
    device = flags[0].device if flags else torch.device("cpu")
    together = torch.stack([flag.reshape(()).to(device) for flag in flags] or [torch.tensor(here)])
    skipped = together.any() | here
    for group in groups:
        skipped = skipped.int()
        torch.distributed.all_reduce(skipped, torch.distributed.ReduceOp.MAX, group=group)
    return bool(skipped) if not flags else skipped.bool()


def at_hand(tensor: Tensor) -> bool:
    """Tell whether a tensor can be read without waiting."""
    return bool(tensor.is_cpu)


def _numbers(gradient: Tensor) -> Tensor:
    """Return what a process holds of a gradient, as real numbers."""
    mine: Tensor = gradient.to_local() if is_spread(gradient) else gradient
    mine = mine._values() if mine.is_sparse else mine
    return torch.view_as_real(mine) if mine.is_complex() else mine


def _is_plain(gradient: Tensor) -> bool:
    """Tell what our threads read: torch's would spin for a while, in the way of others."""
    return (
        type(gradient) is Tensor
        and gradient.dtype is torch.float32
        and gradient.layout is torch.strided
        and at_hand(gradient)
        and gradient.is_contiguous()
        and not (gradient.requires_grad or gradient.is_neg())
    )


def _all_finite(vectors: Sequence[NDArray[np.float32]], threads: int | None) -> bool:
    """Tell by their sums, which no float32 can make infinite but those that are."""
    sums: list[float] = []
    pieces = [v[k : k + PIECE] for v in vectors for k in range(0, v.size, PIECE) if v.size > SMALL]
    small = [v for v in vectors if v.size <= SMALL]
    if small:
        pieces.append(np.concatenate(small))
    threads = min(as_threads(threads), worthwhile(sum([v.size for v in vectors])))
    for_each(pieces, lambda piece: sums.append(magnitudes(piece)), threads=threads)
    return all(map(isfinite, sums))


def _any_not_finite(gradients: list[Tensor]) -> Tensor:
    """Make a flag of gradients of one type on one device, in few kernels."""
    largest = torch._foreach_norm(gradients, torch.inf)
    return torch.stack(largest).isfinite().all().logical_not()


def look_at(layers: Sequence[Layer]) -> tuple[list[tuple[str, int, int]], bool]:
    """Return how often each trained weight was written to, and whether no gradient is there.

    With the same of all weights twice, and no gradients, no step lies between.
    """
    weights = [(layer.name, w) for layer in layers if (w := layer.original).requires_grad]
    gone = bool(weights) and all(weight.grad is None for _, weight in weights)
    return [(name, id(weight), version(weight)) for name, weight in weights], gone


@contextmanager
def naming(layer: Layer, step: int) -> Iterator[None]:
    """Say in the sentence about a bad score whose it is, and when."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(
            f"{layer.name} at step {step}: {error}; all masks stay as they were"
        ) from None


def refuse_ruined(layers: Sequence[Layer], step: int) -> None:
    """Refuse weights that took a step over gradients that were not finite."""
    for layer in layers:
        weight = whole(layer.weight)
        if layer.masked.estimator != "none" and not_finite([weight]):
            weights = layer.layout.matrices(weight)
            index = tuple((~weights.isfinite()).nonzero()[0].tolist())
            with naming(layer, step):
                raise InvalidScore("weights", index, float(weights[index]))
