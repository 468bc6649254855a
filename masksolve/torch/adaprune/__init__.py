"""AdaPrune: a trained model becomes N:M or transposable N:M with a few calibration batches."""

from __future__ import annotations

from masksolve.torch.adaprune.batch_norm import reestimate_batch_norms
from masksolve.torch.adaprune.density import ByDensity, kept_by_density
from masksolve.torch.adaprune.masks import Calibrated
from masksolve.torch.adaprune.prune import adaprune
from masksolve.torch.adaprune.report import AdaPruned, LayerReport

__all__ = [
    "AdaPruned",
    "ByDensity",
    "Calibrated",
    "LayerReport",
    "adaprune",
    "kept_by_density",
    "reestimate_batch_norms",
]
