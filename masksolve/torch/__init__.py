"""Masks for PyTorch: of tensors, and of models while they train.

>>> import torch
>>> import masksolve.torch as mst
>>> model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU())
>>> handle = mst.sparsify(model, "4:8")  # and handle.step() after each optimizer.step()
>>> handle.masks["0.weight"].float().mean()
tensor(0.5000)
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("torch") is None:
    raise ImportError("masksolve.torch needs PyTorch: pip install torch")

from masksolve import moved as _moved
from masksolve.torch._adaprune import (
    AdaPruned,
    ByDensity,
    Calibrated,
    LayerReport,
    adaprune,
    kept_by_density,
    reestimate_batch_norms,
)
from masksolve.torch.language import evaluate_checkpoint
from masksolve.torch.layer import Layer
from masksolve.torch.layouts import Layout, layout_of, register_layout
from masksolve.torch.masked import Masked
from masksolve.torch.model_masks import load_masks, masks_of, prune_with, stored_mask
from masksolve.torch.persistence import dense_state_dict
from masksolve.torch.scores import Gradient, Movement, Wanda
from masksolve.torch.semi_structured import semi_structured, why_not_semi_structured
from masksolve.torch.solving import solve_mask
from masksolve.torch.sparse_linear import SparseLinear
from masksolve.torch.training.handle import Handle
from masksolve.torch.training.history import History, LayerRecord, Record
from masksolve.torch.training.report import Report, ReportRow
from masksolve.torch.training.restoring import restore_masks
from masksolve.torch.training.sparsify import sparsify

if TYPE_CHECKING:
    from masksolve.torch import dst as dst
    from masksolve.torch import filters as filters
    from masksolve.torch.pruning import PruneReport as PruneReport
    from masksolve.torch.pruning import prune_checkpoint as prune_checkpoint
    from masksolve.torch.training.callbacks.huggingface import (
        HuggingFaceCallback as HuggingFaceCallback,
    )
    from masksolve.torch.training.callbacks.lightning import LightningCallback as LightningCallback

__all__ = [
    "AdaPruned",
    "ByDensity",
    "Calibrated",
    "Gradient",
    "Handle",
    "History",
    "Layer",
    "LayerRecord",
    "LayerReport",
    "Layout",
    "Masked",
    "Movement",
    "Record",
    "Report",
    "ReportRow",
    "SparseLinear",
    "Wanda",
    "adaprune",
    "dense_state_dict",
    "dst",
    "evaluate_checkpoint",
    "filters",
    "kept_by_density",
    "layout_of",
    "load_masks",
    "masks_of",
    "prune_with",
    "reestimate_batch_norms",
    "register_layout",
    "restore_masks",
    "semi_structured",
    "solve_mask",
    "sparsify",
    "stored_mask",
    "why_not_semi_structured",
]

_LATER = {
    "HuggingFaceCallback": "masksolve.torch.training.callbacks.huggingface",
    "LightningCallback": "masksolve.torch.training.callbacks.lightning",
    "PruneReport": "masksolve.torch.pruning",
    "prune_checkpoint": "masksolve.torch.pruning",
}
"""What needs a library of its own: not for ``import *``."""

_SUBPACKAGES = ("dst", "filters")
"""Imported when they are asked for: who trains with masks does without."""


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return [*__all__, *_LATER, *(name for name in globals() if name.startswith("__"))]


_moved.alias("masksolve.torch.adaprune")
_moved.alias("masksolve.torch.sparsify")
