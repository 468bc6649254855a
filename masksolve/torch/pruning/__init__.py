"""Checkpoints of models pruned block by block, from folder to folder."""

from __future__ import annotations

from masksolve.torch.pruning.checkpoint import prune_checkpoint
from masksolve.torch.pruning.report import PruneReport

__all__ = ["PruneReport", "prune_checkpoint"]
