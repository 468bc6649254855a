"""Scalars for TensorBoard, read back by TensorBoard."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst

pytest.importorskip("tensorboard")


def test_scalars_of_every_refresh(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    with SummaryWriter(tmp_path) as writer:
        handle = mst.sparsify(model, "2:4", refresh_every=2, warmup=2, writer=writer)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        for _ in range(6):
            optimizer.zero_grad()
            model(torch.randn(8, 16)).square().mean().backward()
            optimizer.step()
            handle.step()

    events = EventAccumulator(str(tmp_path)).Reload()
    names = ["", "/0.weight", "/2.weight"]
    keys = ["flip_rate", "kept_share", "seconds"]
    tags = [f"masksolve/{key}{name}" for key in keys for name in names]
    assert sorted(events.Tags()["scalars"]) == sorted(tags)
    for name in names:
        for key in keys:
            found = events.Scalars(f"masksolve/{key}{name}")
            assert [event.step for event in found] == [2, 4, 6]
            for event, record in zip(found, handle.history.records, strict=True):
                row = record.layers[name[1:]] if name else record.whole
                assert event.value == pytest.approx(getattr(row, key))
