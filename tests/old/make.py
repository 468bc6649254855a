"""Pickles of everything that users keep, by the build before modules moved: commit 9a755dc.

They were made once, by that build, with ``python -P tests/old/make.py tests/old``, and are not
to be made again: what they name are the modules of that time.
"""

import pickle
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst

OUT = Path(*sys.argv[1:2])


def keep(name, value):
    (OUT / f"{name}.pkl").write_bytes(pickle.dumps(value))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 8, 3), nn.Flatten(), nn.Linear(32, 16), nn.Linear(16, 8))


def main():
    weights = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    result = ms.solve(weights, "4:8", potentials=True)
    keep("result", result)
    keep("certificate", ms.certify(weights, result.mask, "4:8"))
    keep("plan", ms.plan({"w": weights}, patterns=["2:4", "4:8"], threads=1))
    keep("stored_mask", ms.StoredMask.of(result.mask, "4:8", weights))

    model = network()
    handle = mst.sparsify(model, "4:8", score="gradient", warmup=1, ramp=2)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.ones(2, 4, 4, 4)).square().sum().backward()
        optimizer.step()
        handle.step()
    keep("handle", handle)
    keep("report", handle.report())
    torch.save(model, OUT / "model.pt")
    torch.save({"model": model.state_dict(), "handle": handle.state_dict()}, OUT / "checkpoint.pt")
    handle = mst.sparsify(network(), "4:8", score=attrgetter("weight"))
    keep("handle_function", handle)
    sparse = nn.Sequential(nn.Linear(16, 16))
    mst.sparsify(sparse, "2:4", products="sparse")
    keep("sparse_products", sparse)

    model, batches = network(), [torch.randn(8, 4, 4, 4) for _ in range(2)]
    keep("adapruned", mst.adaprune(model, batches, "4:8"))
    keep("by_density", mst.ByDensity(8))
    keep("dst", mst.dst.convert(network()))
    keep("dst_lstm", mst.dst.LSTM(4, 6))
    narrow = mst.filters.prune(network(), batches, budget=0.8)
    keep("filters_report", narrow.report)
    keep("layout", mst.layout_of(nn.Conv2d(4, 8, 3)))


if __name__ == "__main__":
    main()
