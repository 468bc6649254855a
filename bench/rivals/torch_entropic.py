"""Entropy-regularised transport by Dykstra's projections, all tiles at once, in torch.

After TSENOR (Meng et al. 2025, arXiv:2505.23949): the relaxed problem's solution by
alternate Bregman projections onto rows = n, columns = n and x <= 1, at a temperature
relative to the tile's largest score. The rounding that would make masks of it is left
out: the time is that of the projections alone.
"""

from __future__ import annotations

import torch

__all__ = ["entropic"]


def entropic(
    scores: torch.Tensor, n: int, rounds: int = 300, sharpness: float = 40.0
) -> torch.Tensor:
    """Solve the relaxed problem for tiles (t, m, m); returns x in [0, 1]."""
    x = sharpness * scores / scores.amax(dim=(1, 2), keepdim=True)
    dual = torch.zeros_like(x)
    target = torch.log(torch.tensor(float(n)))
    for _ in range(rounds):
        x = x - torch.logsumexp(x, dim=2, keepdim=True) + target
        x = x - torch.logsumexp(x, dim=1, keepdim=True) + target
        lifted = x + dual
        x = torch.clamp(lifted, max=0.0)
        dual = lifted - x
    return x.exp()
