"""When a handle renews masks, and that they are the best of the weights as they are."""

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from tests.torch.trained import (
    WEIGHTS,
    backward,
    equal,
    keeps,
    net,
    optimizer_for,
    snapshot,
    solved,
    train,
)


def test_masks_follow_the_weights_at_every_step():
    model = net()
    handle = mst.sparsify(model, "4:8")

    def check(handle):
        assert equal(handle.masks, solved(handle))

    check(handle)
    first = snapshot(handle)
    train(handle, optimizer_for(model), 10, check)
    assert handle.steps == 10
    assert not equal(first, handle.masks)


def refreshed_at(**options):
    """At which of 12 steps the masks are solved anew."""
    model = net()
    handle = mst.sparsify(model, "4:8", **options)
    at = []

    def check(handle):
        if handle.history.records and handle.history.records[-1].step == handle.steps:
            at.append(handle.steps)

    check(handle)
    train(handle, optimizer_for(model), 12, check)
    assert [record.step for record in handle.history.records] == at
    return at


def test_refresh_every():
    assert refreshed_at() == list(range(13))
    assert refreshed_at(refresh_every=5) == [0, 5, 10]
    assert refreshed_at(refresh_every=5, warmup=3) == [3, 5, 10]
    assert refreshed_at(refresh_every=100, warmup=3, ramp=4) == [3, 4, 5, 6]
    assert refreshed_at(refresh_every=6, warmup=1, ramp=1) == [1, 2, 6, 12]
    assert refreshed_at(warmup=20) == []


@pytest.mark.parametrize(
    ("warmup", "ramp", "kept"),
    [
        (0, 0, [4, 4, 4, 4, 4, 4, 4, 4]),
        (3, 0, [8, 8, 8, 4, 4, 4, 4, 4]),
        (0, 4, [7, 6, 5, 4, 4, 4, 4, 4]),
        (2, 2, [8, 8, 7, 5, 4, 4, 4, 4]),
        (2, 1, [8, 8, 7, 4, 4, 4, 4, 4]),
        (0, 1, [7, 4, 4, 4, 4, 4, 4, 4]),
        (0, 7, [7, 7, 6, 6, 5, 5, 4, 4]),
    ],
)
@pytest.mark.parametrize("estimator", ["ste", "none"])
def test_warm_up_and_ramp(warmup, ramp, kept, estimator):
    model = net()
    handle = mst.sparsify(model, "4:8", warmup=warmup, ramp=ramp, estimator=estimator)
    keeps(handle, kept[0])
    at = iter(kept[1:])
    train(handle, optimizer_for(model), 7, lambda handle: keeps(handle, next(at)))


def test_dense_in_the_warm_up():
    """The gradients, too, are those of a dense training."""
    model, dense = net(), net()
    handle = mst.sparsify(model, "4:8", warmup=5, estimator="sr_ste", decay=0.1)
    optimizer, other = optimizer_for(model), optimizer_for(dense)
    train(handle, optimizer, 5, lambda handle: None)
    for step in range(5):
        other.zero_grad()
        backward(dense, seed=step)
        other.step()
    dense_weights = dict(dense.named_parameters())
    for layer in handle.layers:
        torch.testing.assert_close(layer.weight, dense_weights[layer.name].detach())


def test_no_mask_in_the_warm_up_by_hand_either():
    handle = mst.sparsify(net(), "4:8", warmup=5)
    handle.refresh()
    assert all(mask.all() for mask in handle.masks.values())


@pytest.mark.parametrize("text", ["4:8", "2:4", "3:8,at-most"])
def test_warm_starts_change_the_work_only(text):
    """Proven optima, and the objectives of cold starts, at every step."""

    def records(warm_start):
        model = net()
        handle = mst.sparsify(model, text, warm_start=warm_start, ramp=3)
        masks = []
        train(handle, optimizer_for(model), 12, lambda h: masks.append(snapshot(h)))
        return handle, masks

    (warm, its_masks), (cold, other_masks) = records(True), records(False)
    assert all(map(equal, its_masks, other_masks))
    for one, other in zip(warm.history.records, cold.history.records, strict=True):
        for name in WEIGHTS:
            a, b = one.layers[name], other.layers[name]
            assert a.kept == pytest.approx(b.kept, rel=1e-12)
            assert a.gap <= 1e-12 * a.total
    by_start = [layer.result.stats.get("tiles_by_warm_start", 0) for layer in warm.layers]
    assert sum(by_start) > 0
    assert all("tiles_by_warm_start" not in layer.result.stats for layer in cold.layers)


def test_warm_starts_survive_a_jump():
    """Potentials of weights that are gone prove nothing false."""
    model = net()
    handle = mst.sparsify(model, "4:8", warm_start=True)
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.no_grad():
            for layer in handle.layers:
                layer.original.copy_(torch.randn_like(layer.weight) * 10.0 ** (seed - 2))
        handle.refresh()
        assert equal(handle.masks, solved(handle))
        assert all(layer.result.status is ms.Status.OPTIMAL for layer in handle.layers)


def test_static_masks():
    model = net()
    handle = mst.sparsify(model, "4:8", estimator="none")
    first = snapshot(handle)
    pruned = {layer.name: layer.weight[~layer.mask].clone() for layer in handle.layers}
    train(handle, torch.optim.Adam(model.parameters(), lr=0.1), 10)
    assert equal(first, handle.masks)
    for layer in handle.layers:
        assert torch.equal(layer.weight[~layer.mask], pruned[layer.name])  # never trained
    assert len(handle.history.records) == 1
    handle.refresh()  # asked for, they are renewed
    assert equal(handle.masks, solved(handle))


def test_threads_do_not_matter():
    masks = []
    for threads in (1, 3):
        model = net()
        handle = mst.sparsify(model, "4:8", threads=threads)
        train(handle, optimizer_for(model), 3)
        masks.append(snapshot(handle))
    assert equal(*masks)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes(dtype):
    """bfloat16 is full of ties: compare what is kept."""
    model = net().to(dtype)
    handle = mst.sparsify(model, "4:8")
    x = torch.randn(16, 8, 4, dtype=dtype)
    optimizer = optimizer_for(model)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        handle.step()
        for layer, best in zip(handle.layers, solved(handle).values(), strict=True):
            size = layer.weight.double().abs()
            assert size[layer.mask].sum() == pytest.approx(size[best].sum().item())


def test_planted_fault_is_caught(monkeypatch):
    """A handle that forgets a layer has masks that no longer are the best."""
    model = net()
    handle = mst.sparsify(model, "4:8")
    renew = mst.Handle._renew
    monkeypatch.setattr(mst.Handle, "_renew", lambda self, layers: renew(self, layers[:-1]))
    train(handle, optimizer_for(model), 10)
    assert not equal(handle.masks, solved(handle))


@pytest.mark.parametrize(("text", "warm"), [("4:8", False), ("8:16", True)])
def test_warm_starts_where_they_pay(text, warm):
    handle = mst.sparsify(nn.Linear(32, 32), text)
    handle.refresh()
    (layer,) = handle.layers
    assert ("tiles_by_warm_start" in layer.result.stats) == warm
    assert (layer.result.tiles.column_potentials is not None) == warm
