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

from masksolve import moved as _moved

TYPE_CHECKING = False  # typing's, whose import would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from masksolve import diversity
    from masksolve.checkpoints.apply import apply_masks
    from masksolve.checkpoints.load import load_masks
    from masksolve.checkpoints.manifest import verify_checkpoint
    from masksolve.checkpoints.result import CheckpointResult
    from masksolve.checkpoints.solve import solve_checkpoint
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
    from masksolve.nearly import ZeroReport, inspect_zeros
    from masksolve.pattern import Pattern
    from masksolve.planning.forecast import plan
    from masksolve.planning.result import Plan
    from masksolve.planning.rows import PlanRow
    from masksolve.result import Certificate, MaskResult, Status, TileResults
    from masksolve.solvers import METHODS, Method, Option
    from masksolve.solving import certify, repair, solve
    from masksolve.storage.masks import save_masks
    from masksolve.storage.stored import StoredMask
    from masksolve.zeros import mask_of_zeros

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
    "ZeroReport",
    "apply_masks",
    "certify",
    "check_mask",
    "diversity",
    "inspect_zeros",
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

_PLACES = {
    "checkpoints.apply": ("apply_masks",),
    "checkpoints.load": ("load_masks",),
    "checkpoints.manifest": ("verify_checkpoint",),
    "checkpoints.result": ("CheckpointResult",),
    "checkpoints.solve": ("solve_checkpoint",),
    "checks": ("check_mask", "is_valid"),
    "errors": (
        "FileFormatError",
        "InvalidInput",
        "InvalidPattern",
        "MaskViolation",
        "MasksolveError",
        "UnknownMethod",
    ),
    "layout": ("Layout",),
    "nearly": ("ZeroReport", "inspect_zeros"),
    "pattern": ("Pattern",),
    "planning.forecast": ("plan",),
    "planning.result": ("Plan",),
    "planning.rows": ("PlanRow",),
    "result": ("Certificate", "MaskResult", "Status", "TileResults"),
    "solvers": ("METHODS", "Method", "Option"),
    "solving": ("certify", "repair", "solve"),
    "storage.masks": ("save_masks",),
    "storage.stored": ("StoredMask",),
    "zeros": ("mask_of_zeros",),
}
"""Public names by their modules, which are imported when first asked for.

The command can so be interrupted quietly from its first moments on, and whoever wants an error
class, or the version, does not wait for NumPy.
"""
_LATER = {name: module for module, names in _PLACES.items() for name in names}
_MODULES = ("checkpoints", "diversity", "inputs", "scores", "starts", "storage", "threads", "tiles")
"""Modules that are attributes of the package, too, whether they were imported or not."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module = importlib.import_module(f"masksolve.{_LATER[name]}")
        globals()[name] = getattr(module, name)
        return globals()[name]
    if name in _PLACES or name in _MODULES:
        return importlib.import_module(f"masksolve.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


_moved.install()
