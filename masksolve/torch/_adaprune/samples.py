"""A layer's inputs and dense outputs, sample by sample, for an optimiser that draws some."""

from __future__ import annotations

import torch
from torch import Tensor

from masksolve.torch._adaprune.groups import Feed, Weight

__all__ = ["Samples"]


class Samples:
    """The samples of a feed: what the first axis of its inputs counts.

    Inputs are kept as they come, not as rows, of which a convolution has many more.

    Parameters
    ----------
    feed : Feed
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._inputs: list[Tensor] = []
        self._outputs: dict[Weight, list[Tensor]] = {weight: [] for weight, _ in feed.users}
        self._lines = {
            weight: weight.form.lines(weight.dense)[parts] for weight, parts in feed.users
        }

    def __len__(self) -> int:
        return len(self._inputs)

    def add(self, pruned: Tensor, dense: Tensor, positions: Tensor | None) -> None:
        """Add the input of a call in both networks."""
        held = positions if self._feed.has(positions, pruned) else None
        for k in range(len(pruned)):
            one, other = (
                x[k : k + 1] if held is None else x[k][held[k].to(x.device)]
                for x in (pruned, dense)
            )
            if one.numel() == 0:
                continue
            rows = self._feed.wide_rows(other)
            self._inputs.append(one.clone())  # not a view that holds its batch
            for weight, outputs in self._outputs.items():
                outputs.append(rows @ self._lines[weight].to(rows.dtype).mT)

    def draw(self, weight: Weight, which: list[int]) -> tuple[Tensor, Tensor]:
        """Return some samples' rows, and what a weight made of them without its biases.

        These are (1 or parts, rows, features) and (parts, rows, outputs).
        """
        inputs = [self._inputs[k] for k in which]
        if len({x.shape for x in inputs}) == 1:
            rows = self._feed.wide_rows(torch.cat(inputs))
        else:
            rows = torch.cat([self._feed.wide_rows(x) for x in inputs], dim=1)
        return rows, torch.cat([self._outputs[weight][k] for k in which], dim=1)
