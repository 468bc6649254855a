"""Modules that have moved: what was pickled before still loads, and scripts go on.

An old name is found by the import system, which gives it the module of the new one. Commands that
have moved say in one sentence where they went.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

TYPE_CHECKING = False  # every import of `masksolve` comes by: what takes long is for types alone
if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
    from typing import Any
else:
    Loader = MetaPathFinder = object

__all__ = ["COMMANDS", "MOVED", "alias", "install"]

MOVED = {
    "masksolve.solve": "masksolve.solving",
    "masksolve.pieces": "masksolve.threads",
    "masksolve.checkpoints.masks": "masksolve.checkpoints.load",
    "masksolve.checkpoints.totals": "masksolve.totals",
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
            "lines",
            "prune",
            "report",
            "samples",
            "settings",
            "sources",
        )
    },
    **{
        f"masksolve.torch.{room}.{name}": f"masksolve.torch.fitting.{name}"
        for room in ("adaprune", "_adaprune")
        for name in ("least_squares", "moments")
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


class _Loader(Loader):
    """Gives the module of the new name under the old one, too."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(MOVED[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has made the old name its specification.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


class _Says(Loader):
    """Stands for the code of a command that has moved."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Have an ordinary module made, whose code says it."""

    def get_code(self, name: str) -> CodeType:
        return compile(f"raise SystemExit({_sentence(name)!r})", name, "exec")

    def exec_module(self, module: ModuleType) -> None:
        raise ImportError(_sentence(module.__name__))


def _sentence(name: str) -> str:
    return f"{name} is no longer installed: in a checkout, {COMMANDS[name]}"


class _Finder(MetaPathFinder):
    """Finds old names: first, or others would load the file again that a new name has."""

    def find_spec(self, name: str, *others: Any) -> ModuleSpec | None:
        loader = _Loader() if name in MOVED else _Says() if name in COMMANDS else None
        return None if loader is None else ModuleSpec(name, loader)


class _Package(ModuleType):
    """The package, which keeps the function `solve`: a module had that name.

    The import system makes a module an attribute of its package when it is imported.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name != "solve" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


def install() -> None:
    """Let old names be imported."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    sys.modules["masksolve"].__class__ = _Package


def alias(name: str) -> None:
    """Have an old name there at once, where a function has the same.

    Whatever is imported later becomes an attribute of its package, in the function's place.
    """
    sys.modules.setdefault(name, importlib.import_module(MOVED[name]))
