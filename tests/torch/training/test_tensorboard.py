"""Scalars for TensorBoard, read back by TensorBoard."""

import pytest

from tests.torch.training.test_history import trained

pytest.importorskip("tensorboard")


def test_scalars_of_every_refresh(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        handle, _ = trained(6, refresh_every=2, warmup=2, writer=writer)

    events = EventAccumulator(str(tmp_path)).Reload()
    names = ["", *(f"/{name}" for name in handle.masks)]
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
