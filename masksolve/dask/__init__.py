"""Dask: masks of arrays that no machine holds, and checkpoints solved by a cluster.

>>> import dask.array as da, masksolve.dask as msd
>>> weights = da.random.default_rng(0).normal(size=(96, 100), chunks=(30, 50))
>>> result = msd.solve(weights, "4:8")  # nothing is computed yet
>>> masked = da.where(result.mask, weights, 0.0)
>>> result.compute().status.name
'OPTIMAL'
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("dask") is None:
    raise ImportError("masksolve.dask needs Dask: pip install 'masksolve[dask]'")

from masksolve.dask.arrays import solve
from masksolve.dask.result import ComputedMask, DaskResult

if TYPE_CHECKING:
    from masksolve.dask.clusters import connect, local_cluster
    from masksolve.dask.runner import DaskRunner

__all__ = ["ComputedMask", "DaskResult", "DaskRunner", "connect", "local_cluster", "solve"]

_LATER = {
    "DaskRunner": "masksolve.dask.runner",
    "connect": "masksolve.dask.clusters",
    "local_cluster": "masksolve.dask.clusters",
}
"""What needs distributed, which takes a while to import: arrays do without it."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if importlib.util.find_spec("distributed") is None:
        raise ImportError("masksolve.dask needs distributed: pip install 'masksolve[dask]'")
    return getattr(importlib.import_module(_LATER[name]), name)
