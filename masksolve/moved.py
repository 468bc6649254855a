"""Modules that have moved: what was pickled before still loads, and scripts go on.

Each old name stands in ``sys.modules`` for a module that takes what is asked of it from the new
one, imported only then. Commands that have moved say in one sentence where they went.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

__all__ = ["COMMANDS", "MOVED", "install"]

MOVED = {
    "masksolve.solve": "masksolve.solving",
    "masksolve.pieces": "masksolve.threads",
    "masksolve.checkpoints.masks": "masksolve.checkpoints.load",
    "masksolve.torch.adaprune": "masksolve.torch._adaprune",
    **{
        f"masksolve.torch.adaprune.{name}": f"masksolve.torch._adaprune.{name}"
        for name in (
            "adam",
            "batch_norm",
            "checkpoint",
            "collect",
            "density",
            "fit",
            "groups",
            "least_squares",
            "lines",
            "moments",
            "prune",
            "report",
            "samples",
            "settings",
            "sources",
        )
    },
    "masksolve.torch.adaprune.masks": "masksolve.torch._adaprune.masker",
    "masksolve.torch.adaprune.network": "masksolve.torch._adaprune.calibration",
    "masksolve.torch.dst.step": "masksolve.torch.dst.heaviside",
    "masksolve.torch.filters.network": "masksolve.torch.filters.traced",
    "masksolve.torch.flips": "masksolve.torch.training.flips",
    "masksolve.torch.gpu.batched": "masksolve.torch.batched",
    "masksolve.torch.gpu.masks": "masksolve.torch.gpu.launch",
    "masksolve.torch.gpu.results": "masksolve.torch.results",
    "masksolve.torch.handle": "masksolve.torch.training.handle",
    "masksolve.torch.history": "masksolve.torch.training.history",
    "masksolve.torch.masks": "masksolve.torch.model_masks",
    "masksolve.torch.picture": "masksolve.torch.training.picture",
    "masksolve.torch.renewal": "masksolve.torch.devices",
    "masksolve.torch.report": "masksolve.torch.training.report",
    "masksolve.torch.schedule": "masksolve.torch.training.schedule",
    "masksolve.torch.sparsify": "masksolve.torch.training.sparsify",
    "masksolve.torch.trainers": "masksolve.torch.training.callbacks",
    "masksolve.torch.trainers.huggingface": "masksolve.torch.training.callbacks.huggingface",
    "masksolve.torch.trainers.lightning": "masksolve.torch.training.callbacks.lightning",
}
"""Old names of modules, and new ones."""

COMMANDS = {
    "masksolve.bench.adaprune": "python -m bench.experiments adaprune",
    "masksolve.bench.diversity": "python -m bench.experiments diversity",
    "masksolve.bench.dst": "python -m bench.experiments dst",
    "masksolve.bench.filters": "python -m bench.experiments filters",
    "masksolve.bench.sparse_training": "python -m bench.experiments training",
}
"""What was ``python -m`` such a name, and what is its command now, in a checkout."""


class _Moved(ModuleType):
    """Stands where a module was."""

    __path__ = ()  # type: ignore[assignment]  # so that what lies below is asked for, too

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # who goes through sys.modules asks for these
            raise AttributeError(name)
        return getattr(importlib.import_module(MOVED[self.__name__]), name)


class _Says:
    """Stands for the code of a command that has moved."""

    def get_code(self, name: str) -> CodeType:
        said = f"{name} is no longer installed: in a checkout, {COMMANDS[name]}"
        return compile(f"raise SystemExit({said!r})", name, "exec")


def install(*, torch: bool) -> None:
    """Let old names be imported: those of `masksolve.torch`, or all others."""
    for name in (*MOVED, *COMMANDS):
        if name.startswith("masksolve.torch.") == torch and name not in sys.modules:
            sys.modules[name] = _Moved(name)
            if name in COMMANDS:
                sys.modules[name].__spec__ = ModuleSpec(name, _Says())  # type: ignore[arg-type]
