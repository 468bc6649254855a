"""The comparison suite: every method of the field beside ours, on the same data.

In a checkout this folder is ``bench/``; it is installed as `masksolve.bench`. As ``bench`` it
only holds the command of the experiments: what registers solvers must not be there twice.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registry import Contestant, contestant

__all__ = ["Contestant", "contestant"]

MOVED = {name: name for name in ("adaprune", "diversity", "dst", "filters")}
MOVED["sparse_training"] = "training"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import registry

    return getattr(registry, name)


class _Moved(MetaPathFinder):
    """Says where the experiments went, to whoever looks for them here."""

    def find_spec(self, name: str, *others: Any) -> None:
        package, _, module = name.rpartition(".")
        if package == __name__ and module in MOVED:
            raise ModuleNotFoundError(
                f"{name} is an experiment, not installed: expected, in a checkout, "
                f"python -m bench.experiments {MOVED[module]}",
                name=name,
            )


sys.meta_path.insert(0, _Moved())  # first: where a folder was left over, others would find that
