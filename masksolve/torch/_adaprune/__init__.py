"""AdaPrune: a trained model becomes N:M or transposable N:M with a few calibration batches.

The name begins with an underscore for one reason: the function `masksolve.torch.adaprune` is not to
shadow a package.
"""

from __future__ import annotations

from masksolve.torch._adaprune.batch_norm import reestimate_batch_norms
from masksolve.torch._adaprune.density import ByDensity, kept_by_density
from masksolve.torch._adaprune.masker import Calibrated
from masksolve.torch._adaprune.prune import adaprune
from masksolve.torch._adaprune.report import AdaPruned, LayerReport

__all__ = [
    "AdaPruned",
    "ByDensity",
    "Calibrated",
    "LayerReport",
    "adaprune",
    "kept_by_density",
    "reestimate_batch_norms",
]
