"""One network and one sampler: pruned to every budget, measured, and trained on."""

from __future__ import annotations

import copy
import os
from functools import partial
from pathlib import Path

import numpy as np
import torch

from masksolve.torch.filters import Pruned, Pruner

from ...learning.digits import Digits
from ...pages.findings import significant
from .findings import LayerErrors, Point, Run
from .networks import Residual, learn, wrong
from .sizes import DELTA, Size

__all__ = ["dense", "prune", "trained"]

CHANCE = ("hybrid", "random", "uniform")
_short = partial(significant, digits=4)
"""As the file holds figures."""


def trained(folder: Path, size: Size, seed: int) -> Path:
    """Train a network unless it lies in the folder already; return its file."""
    path = folder / f"{size.name}-{seed}.pt"
    if not path.exists():
        torch.manual_seed(seed)
        network = Residual(size.width)
        learn(network, Digits.deal(seed, size.learned), size, seed)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        torch.save(network.state_dict(), part)
        part.replace(path)
    return path


def dense(folder: Path, size: Size, seed: int) -> Residual:
    """Return the trained network."""
    network = Residual(size.width)
    network.load_state_dict(torch.load(trained(folder, size, seed), weights_only=True))
    network.eval()
    return network


def prune(folder: Path, size: Size, sampler: str, seed: int) -> Run:
    """Prune a network by one sampler to every budget."""
    digits, network = Digits.deal(seed, size.learned), dense(folder, size, seed)
    pruner = Pruner(network, [digits.images[: size.calibration]], delta=DELTA)
    longer = copy.deepcopy(network)
    learn(longer, digits, size, seed, tuning=True)
    first = pruner.prune(1.0).report
    return {
        "seed": seed,
        "sampler": sampler,
        "dense": round(wrong(network, digits), 5),
        "trained_on": round(wrong(longer, digits), 5),
        "filters": [group.filters for group in first.groups],
        "makers": [group.makers for group in first.groups],
        "sensitivities": [_short(group.sensitivity) for group in first.groups],
        "points": [_point(pruner, digits, size, sampler, seed, budget) for budget in size.budgets],
    }


def _point(
    pruner: Pruner, digits: Digits, size: Size, sampler: str, seed: int, budget: float
) -> Point:
    rng = np.random.default_rng([seed, round(1000 * budget), *sampler.encode()])
    others = [digits.held_images[: size.checked]]
    draws = size.draws if sampler in CHANCE else 1
    pruned = [
        pruner.prune(budget, sampler=sampler, seed=rng, held_out=others) for _ in range(draws)
    ]
    missed = [round(wrong(one.model, digits), 5) for one in pruned]
    tuned = pruned[0].model
    learn(tuned, digits, size, seed, tuning=True)
    return {
        "budget": budget,
        "share": [_short(one.report.share) for one in pruned],
        "wrong": missed,
        "output": [_short(one.report.output) for one in pruned],
        "tuned": round(wrong(tuned, digits), 5),
        "kept": [group.kept for group in pruned[0].report.groups],
        "layers": [_layers(one) for one in pruned],
    }


def _layers(pruned: Pruned) -> list[LayerErrors]:
    return [
        {
            "name": row.name,
            "published": None if row.published is None else _short(row.published),
            "proven": None if row.proven is None else _short(row.proven),
            "certified": _short(row.certified),
            "measured": _short(row.measured),
            "held_out": _short(row.held_out or 0.0),
        }
        for row in pruned.report.layers
    ]
