"""Exact, proven N:M and transposable N:M sparsity masks.

>>> import numpy as np, masksolve as ms
>>> weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
>>> r = ms.solve(weights, "4:8")
>>> r.status.name, r.gap <= 1e-12 * r.objective
('OPTIMAL', True)
>>> ms.is_valid(r.mask, "4:8") and ms.is_valid(r.mask.T, "4:8")
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from masksolve import moved as _moved
from masksolve.checkpoints.load import load_masks
from masksolve.checks import check_mask, is_valid
from masksolve.errors import (
    FileFormatError,
    InvalidInput,
    InvalidPattern,
    MasksolveError,
    MaskViolation,
    UnknownMethod,
)
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.result import Certificate, MaskResult, Status, TileResults
from masksolve.solvers import METHODS, Method, Option
from masksolve.solving import certify, repair, solve
from masksolve.storage.masks import save_masks
from masksolve.storage.stored import StoredMask
from masksolve.zeros import mask_of_zeros

if TYPE_CHECKING:
    from masksolve import diversity
    from masksolve.checkpoints.apply import apply_masks
    from masksolve.checkpoints.manifest import verify_checkpoint
    from masksolve.checkpoints.result import CheckpointResult
    from masksolve.checkpoints.solve import solve_checkpoint
    from masksolve.planning.forecast import plan
    from masksolve.planning.result import Plan
    from masksolve.planning.rows import PlanRow

__version__ = "0.1.0"

__all__ = [
    "METHODS",
    "Certificate",
    "CheckpointResult",
    "FileFormatError",
    "InvalidInput",
    "InvalidPattern",
    "Layout",
    "MaskResult",
    "MaskViolation",
    "MasksolveError",
    "Method",
    "Option",
    "Pattern",
    "Plan",
    "PlanRow",
    "Status",
    "StoredMask",
    "TileResults",
    "UnknownMethod",
    "apply_masks",
    "certify",
    "check_mask",
    "diversity",
    "is_valid",
    "load_masks",
    "mask_of_zeros",
    "plan",
    "repair",
    "save_masks",
    "solve",
    "solve_checkpoint",
    "verify_checkpoint",
]

_LATER = {
    "apply_masks": ("masksolve.checkpoints.apply", "apply_masks"),
    "diversity": ("masksolve.diversity", None),
    "plan": ("masksolve.planning.forecast", "plan"),
    "Plan": ("masksolve.planning.result", "Plan"),
    "PlanRow": ("masksolve.planning.rows", "PlanRow"),
    "CheckpointResult": ("masksolve.checkpoints.result", "CheckpointResult"),
    "solve_checkpoint": ("masksolve.checkpoints.solve", "solve_checkpoint"),
    "verify_checkpoint": ("masksolve.checkpoints.manifest", "verify_checkpoint"),
}
"""What is imported when first asked for: solving does without it."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATER[name]
    found = importlib.import_module(module)
    globals()[name] = found if attribute is None else getattr(found, attribute)
    return globals()[name]


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


_moved.install()
_moved.alias("masksolve.solve")
