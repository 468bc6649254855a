"""Exact, proven N:M and transposable N:M sparsity masks.

>>> import numpy as np, masksolve as ms
>>> weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
>>> r = ms.solve(weights, "4:8")
>>> r.status.name, r.gap <= 1e-12 * r.objective
('OPTIMAL', True)
>>> ms.is_valid(r.mask, "4:8") and ms.is_valid(r.mask.T, "4:8")
True
"""

from masksolve import diversity
from masksolve.checks import check_mask, is_valid
from masksolve.errors import (
    FileFormatError,
    InvalidInput,
    InvalidPattern,
    MasksolveError,
    MaskViolation,
    UnknownMethod,
)
from masksolve.pattern import Pattern
from masksolve.planning.forecast import plan
from masksolve.planning.result import Plan, PlanRow
from masksolve.result import Certificate, MaskResult, Status, TileResults
from masksolve.solve import certify, repair, solve
from masksolve.solvers import METHODS, Method, Option
from masksolve.storage.masks import StoredMask, load_masks, save_masks

__version__ = "0.1.0"

__all__ = [
    "METHODS",
    "Certificate",
    "FileFormatError",
    "InvalidInput",
    "InvalidPattern",
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
    "certify",
    "check_mask",
    "diversity",
    "is_valid",
    "load_masks",
    "plan",
    "repair",
    "save_masks",
    "solve",
]
