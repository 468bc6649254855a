"""The history of a training, against masks and weights that a test kept itself."""

import numpy as np
import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.torch.training import history as module
from tests.refusals import says
from tests.torch.trained import WEIGHTS, net, optimizer_for, train


class Kept:
    """Keeps copies of masks and weights after every step."""

    def __init__(self, handle):
        self.masks, self.weights = [], []
        self(handle)

    def __call__(self, handle):
        self.masks.append({name: mask.clone() for name, mask in handle.masks.items()})
        self.weights.append({layer.name: layer.weight.clone() for layer in handle.layers})

    def distance(self, since, until, names=WEIGHTS):
        one, other = self.masks[since], self.masks[until]
        return sum(int((one[name] ^ other[name]).sum()) for name in names)


MIXED = {"conv": "2:4", "*": "4:8"}


def trained(steps=8, pattern=MIXED, **options):
    model = net()
    handle = mst.sparsify(model, pattern, **options)
    kept = Kept(handle)
    train(handle, optimizer_for(model), steps, kept)
    return handle, kept


def test_figures():
    handle, kept = trained(6)
    records = handle.history.records
    assert [record.step for record in records] == list(range(7))
    for step, record in enumerate(records):
        assert set(record.layers) == WEIGHTS
        for name, row in record.layers.items():
            scores = kept.weights[step][name].double().abs()
            mask = kept.masks[step][name]
            assert row.size == scores.numel()
            assert row.total == pytest.approx(scores.sum().item(), rel=1e-6)
            assert row.kept == pytest.approx(scores[mask].sum().item())
            assert row.kept_share == pytest.approx((scores[mask].sum() / scores.sum()).item())
            assert 0 <= row.gap <= 1e-12 * row.kept
            assert row.seconds > 0
            flips = kept.distance(step - 1, step, [name]) if step else 0
            assert row.flips == flips
            assert row.flip_rate == flips / row.size
        whole, rows = record.whole, list(record.layers.values())
        for key in ("size", "flips", "kept", "total", "gap", "seconds"):
            assert getattr(whole, key) == pytest.approx(sum(getattr(r, key) for r in rows))
        assert whole.flip_rate == whole.flips / whole.size
    assert sum(record.whole.flips for record in records) > 0


def test_sad():
    handle, kept = trained(8, refresh_every=2)
    for since in range(9):
        for until in range(9):
            assert handle.history.sad(since, until) == kept.distance(since, until)
    assert handle.history.sad() == kept.distance(0, 8)
    assert handle.history.sad(3) == kept.distance(3, 8)
    assert handle.history.sad(until=5) == kept.distance(0, 5)
    for name in WEIGHTS:
        assert handle.history.sad(layers=[name]) == kept.distance(0, 8, [name])


def test_sad_in_a_ramp():
    """From the first masks on, also where n falls and where layers have other patterns."""
    handle, kept = trained(9, warmup=2, ramp=4, refresh_every=5)
    assert handle.history.sad() == kept.distance(2, 9)
    with says("there were no masks at step 1: the first are of step 2"):
        handle.history.sad(since=1)


def test_nothing_yet():
    handle, _ = trained(2, warmup=5)
    assert handle.history.records == []
    assert handle.history.to_dict() == {"steps": [], "layers": {}}
    with says("there are no masks yet: they come after the warm-up"):
        handle.history.sad()
    with says("there is nothing to draw: no masks were solved yet"):
        handle.history.plot("nowhere.png")


def test_layers_by_name():
    handle, _ = trained(1)
    with says("no layer is called 'fc3.weight': conv.weight, fc1.weight, fc2.weight"):
        handle.history.sad(layers=["fc1.weight", "fc3.weight"])


def test_to_dict():
    """A layer that was not renewed has nothing to say: in a ramp they do not fall at once."""
    handle, _ = trained(8, ramp=6, refresh_every=50)
    found = handle.history.to_dict()
    records = handle.history.records
    assert found["steps"] == [record.step for record in records]
    assert set(found["layers"]) == WEIGHTS
    missing = 0
    for name, columns in found["layers"].items():
        assert set(columns) == {"flip_rate", "kept_share", "gap", "seconds"}
        for key, values in columns.items():
            for record, value in zip(records, values, strict=True):
                row = record.layers.get(name)
                missing += row is None
                assert value == (None if row is None else getattr(row, key))
    assert missing > 0


def test_thinning(monkeypatch):
    """The latest stay; of the older half every other goes; distances stay exact."""
    monkeypatch.setattr(module, "MOST", 10)
    handle, kept = trained(30)
    steps = [record.step for record in handle.history.records]
    assert len(steps) <= 10
    assert steps == sorted(set(steps))
    assert steps[0] == 0
    assert steps[-5:] == list(range(26, 31))
    for since in range(31):
        assert handle.history.sad(since) == kept.distance(since, 30)


def test_methods_without_a_proof():
    handle, _ = trained(2, method="greedy")
    record = handle.history.records[-1]
    assert record.whole.gap is None
    assert {row.gap for row in record.layers.values()} == {None}


def test_scores_of_nothing():
    """A layer of zeros keeps a share of nothing."""
    model = net()
    torch.nn.init.zeros_(model.fc1.weight)
    handle = mst.sparsify(model, "4:8", select="fc1")
    row = handle.history.records[0].layers["fc1.weight"]
    assert (row.kept, row.total, row.kept_share) == (0.0, 0.0, 0.0)
    ms.check_mask(handle.masks["fc1.weight"].numpy(), "4:8")


def test_weights_loaded_in_between():
    """Distances speak of masks that were solved, whatever was loaded between them."""
    handle, kept = trained(3)
    other = net()
    before = mst.sparsify(other, MIXED)
    handle.model.load_state_dict(other.state_dict())
    assert torch.equal(handle.masks["fc1.weight"], before.masks["fc1.weight"])
    handle.refresh()
    kept(handle)
    last = handle.history.records[-1]
    assert last.whole.flips == kept.distance(3, 4)
    assert handle.history.sad() == kept.distance(0, 4) == 0


def test_memory_of_flips():
    handle, _ = trained(4)
    flips = handle.history._flips["fc1.weight"]
    assert all(change.dtype == np.uint32 for change in flips._changes)
    assert flips._bytes == 4 * sum(
        record.layers["fc1.weight"].flips for record in handle.history.records
    )
