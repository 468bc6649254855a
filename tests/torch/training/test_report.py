"""The report's figures against brute force, and what it looks like."""

import json

import pytest
import torch

import masksolve.torch as mst
from tests.refusals import says
from tests.torch.trained import WEIGHTS, net, optimizer_for, train
from tests.torch.training.test_history import trained


@pytest.mark.parametrize("since", [None, 0, 2, 5])
def test_figures(since):
    handle, kept = trained(5)
    report = handle.report(since)
    assert (report.step, report.since) == (5, since)
    weights, masks = kept.weights[-1], kept.masks[-1]
    assert [row.name for row in report.layers] == ["conv.weight", "fc1.weight", "fc2.weight"]
    for row in report.layers:
        assert row.shape == tuple(masks[row.name].shape)
        assert row.pattern == ("2:4" if row.name == "conv.weight" else "4:8")
    total, size = report.total, sum(mask.numel() for mask in masks.values())
    assert report.masked_share == size / sum(p.numel() for p in handle.model.parameters())
    assert (total.name, total.shape, total.pattern) == ("all", (size,), "2:4, 4:8")
    for row in (*report.layers, total):
        names = WEIGHTS if row is total else [row.name]
        scores = torch.cat([weights[name].double().abs().flatten() for name in names])
        mask = torch.cat([masks[name].flatten() for name in names])
        assert row.density == mask.double().mean() == 0.5
        assert row.kept == pytest.approx((scores[mask].sum() / scores.sum()).item())
        assert 0 <= row.gap <= 1e-12 * scores.sum()
        assert row.flip_rate == kept.distance(4, 5, names) / mask.numel()
        assert row.sad == kept.distance(since or 0, 5, names)
        renewals = [record.layers[name] for record in handle.history.records for name in names]
        assert row.seconds == pytest.approx(sum(renewal.seconds for renewal in renewals))


def test_patterns_at_most():
    """Where a line may keep fewer, the density tells."""
    model = net()
    handle = mst.sparsify(model, "3:8,at-most", score=lambda layer: layer.weight)
    for row, layer in zip(handle.report().layers, handle.layers, strict=True):
        assert row.density == layer.mask.double().mean()
        assert row.density < 3 / 8
        size = layer.weight.double()
        assert row.kept == pytest.approx((size[layer.mask].sum() / size.abs().sum()).item())


def test_warm_up():
    handle, _ = trained(2, warmup=5)
    report = handle.report()
    for row in [*report.layers, report.total]:
        assert row.density == 1
        assert (row.kept, row.gap, row.flip_rate, row.sad) == (None, None, None, None)
    text = str(report)
    assert "100.0 %" in text
    with says("there are no masks yet: they come after the warm-up"):
        handle.report(since=1)


def test_ramp():
    handle, kept = trained(3, ramp=8, refresh_every=50)
    for row in handle.report().layers:
        assert row.density == kept.masks[-1][row.name].double().mean() > 0.5


def test_text():
    model = net()
    model.head = torch.nn.Linear(8, 3)
    handle = mst.sparsify(model, "4:8")
    lines = str(handle.report()).splitlines()
    assert lines[0] == "masks after 0 steps"
    head = lines[2].split()
    assert head[:4] == ["weight", "shape", "pattern", "density"]
    assert "SAD, first masks" in lines[2]
    rows = [line for line in lines if line.strip().startswith(("conv", "fc", "all"))]
    assert [row.split()[0] for row in rows] == ["conv.weight", "fc1.weight", "fc2.weight", "all"]
    assert " ".join(rows[0].split()[:9]) == "conv.weight 8 x 8 x 3 4:8 50.0 %"
    assert lines[-1] == "dense: head.weight, its matrix is 3 x 8, narrower than 8"
    assert "SAD, step 0" in str(handle.report(since=0))
    assert "not proven" in str(mst.sparsify(net(), "4:8", method="greedy").report())


def test_one_layer_needs_no_total():
    handle = mst.sparsify(net(), "4:8", select="fc1")
    assert "all" not in str(handle.report()).split()


def test_long_names_are_shown_in_full():
    name = "a" * 60
    model = torch.nn.ModuleDict({name: net()})
    text = str(mst.sparsify(model, "4:8").report())
    assert f"{name}.conv.weight" in text


def test_to_dict_is_json():
    handle, _ = trained(2)
    found = json.loads(json.dumps(handle.report().to_dict()))
    assert found["step"] == 2
    assert [row["name"] for row in found["layers"]] == list(handle.masks)
    assert found["total"]["sad"] == handle.history.sad()
    assert found["skipped"] == []


def test_finalized():
    handle, _ = trained(1)
    handle.finalize()
    with says("the model is finalized: ask for its report before"):
        handle.report()


def test_a_handle_made_later():
    """It knows masks, and of no refresh."""
    handle, kept = trained(2)
    again = mst.Handle(handle.model)
    report = again.report()
    assert {row.kept for row in report.layers} == {None}
    assert report.total.density == 0.5
    train(again, optimizer_for(again.model), 1, kept)
    for row in again.report().layers:
        assert row.sad == 0
        assert row.flip_rate == kept.distance(2, 3, [row.name]) / kept.masks[0][row.name].numel()
