"""A transformer block trained with exact masks renewed at every step, beside a dense one."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import masksolve.torch as mst

from ..learning.transformer import Block
from .clock import Clock

__all__ = ["ARMS", "train_in_turns"]

ARMS = (
    ("dense", None, "dense"),
    ("2:4, masked dense products", "2:4", "dense"),
    ("2:4, sparse products", "2:4", "sparse"),
    ("4:8, masked dense products", "4:8", "dense"),
)
"""Name, pattern and products of what is trained."""
WARM_UP = 3


@dataclass
class _Arm:
    """A block that is trained, with the seconds of its steps and of their renewals."""

    name: str
    step: Callable[[], None]
    handle: mst.Handle | None
    dense_products: list[tuple[str, str]]
    clock: Clock
    steps: list[float] = field(default_factory=list)
    renewals: list[float] = field(default_factory=list)

    def take(self, counts: bool) -> None:
        """Take a step as users do: train, then renew the masks."""
        self.clock.mark()
        self.step()
        self.clock.mark()
        if self.handle is not None:
            self.handle.step()
        self.clock.mark()
        trained, renewed = self.clock.intervals()
        if counts:
            self.steps.append(trained + renewed)
            self.renewals.append(renewed)


def train_in_turns(
    width: int, heads: int, batch: int, length: int, device: torch.device, rounds: int
) -> dict[str, Any]:
    """Train a dense block and masked ones step by step in turn; weights float32, bf16 autocast.

    Returns for each its median step, its ratio to the dense step, and the part of the step
    that renewing masks took: solving, writing, accounts.
    """
    x = torch.randn(batch, length, width, device=device)
    arms = [_arm(name, pattern, products, width, heads, x) for name, pattern, products in ARMS]
    for k in range(WARM_UP + rounds):
        for arm in arms:
            arm.take(counts=k >= WARM_UP)
    dense = statistics.median(arms[0].steps)
    found = []
    for arm in arms:
        step, renewal = statistics.median(arm.steps), statistics.median(arm.renewals)
        masked = arm.handle is not None
        found.append(
            {
                "name": arm.name,
                "step": step,
                "overhead": step / dense - 1,
                "renewal": renewal if masked else None,
                "renewal_share": renewal / step if masked else None,
                "overhead_without_renewal": (step - renewal) / dense - 1 if masked else 0.0,
                "dense_products": arm.dense_products,
                "proven": _proven(arm.handle),
            }
        )
    return {
        "width": width,
        "heads": heads,
        "batch": batch,
        "length": length,
        "weights": 12 * width**2,
        "rounds": rounds,
        "arms": found,
    }


def _arm(name: str, pattern: str | None, products: Any, width: int, heads: int, x: Tensor) -> _Arm:
    torch.manual_seed(0)
    block = Block(width, heads).to(x.device)
    fused = x.device.type == "cuda"
    optimizer = torch.optim.AdamW(block.parameters(), 1e-4, fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16):
            # The input takes a gradient, as a block's does in a deeper network.
            loss = block(x.detach().requires_grad_()).float().square().mean()
        loss.backward()
        optimizer.step()

    handle, dense = None, []
    if pattern is not None:
        handle = mst.sparsify(block, pattern, products=products)
        with torch.autocast(x.device.type, torch.bfloat16):
            dense = handle.dense_products if products == "sparse" else []
    return _Arm(name, step, handle, dense, Clock(x.device))


def _proven(handle: mst.Handle | None) -> bool | None:
    """Tell whether the last masks were all proven best; None without masks."""
    if handle is None:
        return None
    last = handle.history.records[-1].whole
    return last.gap is not None and last.gap <= 1e-6 * last.kept
