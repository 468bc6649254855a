"""Dask: masks of arrays that no machine holds, and checkpoints solved by a cluster.

>>> import dask.array as da, masksolve.dask as msd
>>> weights = da.random.default_rng(0).normal(size=(96, 100), chunks=(30, 50))
>>> result = msd.solve(weights, "4:8")  # nothing is computed yet
>>> masked = da.where(result.mask, weights, 0.0)
>>> result.compute().status.name
'OPTIMAL'
"""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("dask") is None:
    raise ImportError("masksolve.dask needs Dask: pip install 'masksolve[dask]'")

from masksolve.dask.arrays import solve
from masksolve.dask.result import ComputedMask, DaskResult

__all__ = ["ComputedMask", "DaskResult", "solve"]
