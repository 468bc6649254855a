"""Provable filter pruning (Liebenwein et al. 2020): narrower networks with a known error."""

from __future__ import annotations

from masksolve.torch.filters.pruner import Pruned, Pruner, prune
from masksolve.torch.filters.report import GroupRow, LayerRow, Report
from masksolve.torch.filters.samplers import SAMPLERS

__all__ = ["SAMPLERS", "GroupRow", "LayerRow", "Pruned", "Pruner", "Report", "prune"]
