"""Short lines filled up, all tiles in step: what `masksolve.kernels.repair` does."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ROUNDING", "fill_lines"]

ROUNDING = {torch.float64: 2.0**-49, torch.float32: 2.0**-20}
"""Share of the largest score by which a gain of three scores may be wrong, at most."""


def fill_lines(scores: Tensor, n: int, at_most: bool, mask: Tensor) -> None:
    """Fill masks (tiles, m, m) in place, whose lines hold at most n.

    The host waits twice: for which tiles have short lines, and for how short they are.
    """
    lacking = n * mask.shape[1] - mask.sum((1, 2))
    short = lacking.nonzero().flatten()
    if not len(short):
        return
    tiles = _Tiles(scores[short], mask[short], n, at_most)
    for _ in range(int(lacking.max())):
        tiles.step()
    mask[short] = tiles.mask


class _Tiles:
    """Tiles with short lines, one of which is filled by every step.

    The best exchange for a row a and a column b adds the best short column to a and the best
    short row to b: so one look at every (a, b) finds the best of all.
    """

    def __init__(self, scores: Tensor, mask: Tensor, n: int, at_most: bool) -> None:
        self.scores, self.mask = scores, mask
        self.rows, self.columns = n - mask.sum(2), n - mask.sum(1)
        self.takes = scores > 0 if at_most else torch.ones_like(mask)
        self.least = torch.full_like(scores[:, 0, 0], -torch.inf)
        if at_most:
            self.least = ROUNDING[scores.dtype] * scores.abs().amax((1, 2))
        self.each = torch.arange(len(scores), device=scores.device)
        self.going = self.rows.sum(1) > 0

    def step(self) -> None:
        """Add the heaviest entry that fills two lines, or else make the best exchange."""
        m, each, s = self.mask.shape[1], self.each, self.scores
        free = self.takes & ~self.mask
        short_rows, short_columns = self.rows > 0, self.columns > 0
        meets = (
            free & short_rows[:, :, None] & short_columns[:, None] & (s > self.least[:, None, None])
        )
        best, place = _only(s, meets).flatten(1).max(1)
        added, column = _only(s, free & short_columns[:, None]).max(2)
        given = _only(s, free & short_rows[:, :, None]).amax(1)
        gain = _only((given[:, None] + added[:, :, None]) - s, self.mask)
        most, a = gain.amax(2).max(1)
        crossed, extra = s[each, a], added[each, a]
        able = free & short_rows[:, :, None] & self.mask[each, a][:, None]
        exchanged = (s + extra[:, None, None]) - crossed[:, None]
        at = _only(exchanged, able).flatten(1).argmax(1)
        direct = self.going & (best > -torch.inf)
        exchange = self.going & ~direct & (most > self.least)
        self.going = direct | exchange
        place = torch.where(direct, place, at)
        i, b, j = place // m, place % m, column[each, a]
        self.mask[each, i, b] |= self.going
        self.mask[each, a, j] |= exchange
        self.mask[each, a, b] &= ~exchange
        self.rows[each, i] -= self.going.long()
        self.columns[each, torch.where(direct, b, j)] -= self.going.long()
        self.going &= self.rows.sum(1) > 0


def _only(values: Tensor, where: Tensor) -> Tensor:
    return values.masked_fill(~where, -torch.inf)
