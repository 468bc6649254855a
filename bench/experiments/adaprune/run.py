"""One arm: the encoder pruned, and what became of its embeddings."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial

import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst

from ...pages.findings import significant
from .encoder import Batch, batches, embed, make
from .fidelity import fidelity
from .findings import Run
from .sizes import ABSORBED, Arm, Size
from .texts import split

__all__ = ["prune", "tokens", "weights"]

_short = partial(significant, digits=5)
"""As the file holds figures."""


@dataclass(frozen=True)
class _Pruned:
    """An encoder, its masks by the names of the weights, its layers' errors, and the time."""

    model: nn.Module
    masks: dict[str, torch.Tensor]
    seconds: float
    layers: dict[str, list[float]] = field(default_factory=dict)


def prune(size: Size, arm: Arm, seed: int) -> Run:
    """Prune the encoder by an arm, and see what becomes of a seed's sentences.

    Raises
    ------
    MaskViolation
        If a mask is not of the pattern.
    """
    mst.solve_mask(torch.rand(64, 64), arm.pattern, method=arm.method)  # compiles, untimed
    pruned = _calibrated(size, arm, seed) if arm.by_data else _at_once(size, arm)
    return _run(size, arm, seed, pruned)


def tokens(size: Size, seed: int) -> int:
    """Count the tokens that calibrate."""
    return sum(int(batch["attention_mask"].sum()) for batch in _calibration(size, seed))


def weights(size: Size) -> int:
    """Count the weights that masks are on."""
    return sum(matrix.numel() for matrix in _matrices(size).values())


@lru_cache(maxsize=1)
def _at_once(size: Size, arm: Arm) -> _Pruned:
    """Prune without calibration: the same for all seeds, which come one after the other."""
    model = copy.deepcopy(_dense(size))
    start = time.process_time()
    masks = mst.sparsify(
        model,
        arm.pattern,
        select=nn.Linear,
        method=arm.method,
        estimator="none",
        absorb_mean=arm.recovery == ABSORBED,
        threads=1,
    ).finalize()
    return _Pruned(model, masks, time.process_time() - start)


def _calibrated(size: Size, arm: Arm, seed: int) -> _Pruned:
    model, calibration = copy.deepcopy(_dense(size)), _calibration(size, seed)
    start = time.process_time()
    options = {"select": nn.Linear, "method": arm.method, "threads": 1} | arm.options
    found = mst.adaprune(model, calibration, arm.pattern, **options)
    seconds = time.process_time() - start
    layers = {
        row.name: [_short(error) for error in (row.one_shot, row.absorbed, row.error)]
        for row in found.layers
    }
    return _Pruned(model, found.masks, seconds, layers)


def _run(size: Size, arm: Arm, seed: int, pruned: _Pruned) -> Run:
    matrices = _matrices(size)
    # What greedy leaves short is within "at most".
    promised = arm.pattern if arm.method == "exact" else f"{arm.pattern},at-most"
    for mask in pruned.masks.values():
        ms.check_mask(mask.numpy(), promised)
    kept = sum(int(mask.sum()) for mask in pruned.masks.values())
    magnitude = sum(float(matrices[k][mask].abs().sum()) for k, mask in pruned.masks.items())
    total = sum(float(matrix.abs().sum()) for matrix in matrices.values())
    alike = fidelity(_embedded(size, seed), embed(pruned.model, _held_out(size, seed)))
    return {
        "recovery": arm.recovery,
        "pattern": arm.pattern,
        "method": arm.method,
        "seed": seed,
        "cosine": _short(alike["cosine"]),
        "lowest": _short(alike["lowest"]),
        "spearman": _short(alike["spearman"]),
        "nearest": _short(alike["nearest"]),
        "kept": _short(kept / weights(size)),
        "magnitude": _short(magnitude / total),
        "layers": pruned.layers,
        "seconds": round(pruned.seconds, 2),
    }


@cache
def _dense(size: Size) -> nn.Module:
    return make(size.encoder)


@cache
def _matrices(size: Size) -> dict[str, torch.Tensor]:
    return {
        f"{name}.weight": module.weight.detach()
        for name, module in _dense(size).named_modules()
        if isinstance(module, nn.Linear)
    }


@cache
def _calibration(size: Size, seed: int) -> list[Batch]:
    return batches(split(seed, size.calibration, size.held_out).calibration)


@cache
def _held_out(size: Size, seed: int) -> list[Batch]:
    return batches(split(seed, size.calibration, size.held_out).held_out)


@cache
def _embedded(size: Size, seed: int) -> torch.Tensor:
    return embed(_dense(size), _held_out(size, seed))
