"""The comparison suite: every method of the field beside ours, on the same data.

In a checkout this folder is ``bench/``; it is installed as `masksolve.bench`. As ``bench`` it
only holds the command of the experiments: what registers solvers must not be there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registry import Contestant, contestant

__all__ = ["Contestant", "contestant"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import registry

    return getattr(registry, name)
