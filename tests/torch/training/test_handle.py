"""The handle: when it renews masks, in which order, what it refuses, how it lets go."""

import io

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidInput, UnknownMethod
from tests.torch.trained import WEIGHTS, backward, net, optimizer_for, train


def snapshot(handle):
    return {name: mask.clone() for name, mask in handle.masks.items()}


def solved(handle, text="4:8"):
    """The best masks of the weights as they are."""
    return {
        layer.name: mst.solve_mask(layer.weight, text, layout=layer.layout)
        for layer in handle.layers
    }


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one | other)


def keeps(handle, n, m=8):
    """Every mask keeps n of m, both ways."""
    for layer in handle.layers:
        ms.check_mask(layer.mask.numpy(), ms.Pattern(n, m), axes=layer.layout.matrix_axes)


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


def test_zero_grad_may_come_before_step():
    model = net()
    handle = mst.sparsify(model, "4:8")
    optimizer = optimizer_for(model)
    for seed in range(3):
        backward(model, seed)
        optimizer.step()
        optimizer.zero_grad()
        handle.step()
    assert handle.steps == 3
    assert equal(handle.masks, solved(handle))


def test_step_before_the_first_backward():
    model = net()
    handle = mst.sparsify(model, "4:8")
    with pytest.raises(InvalidInput) as error:
        handle.step()
    assert str(error.value) == (
        "step came before the first backward pass: call it after optimizer.step()"
    )
    assert handle.steps == 0
    train(handle, optimizer_for(model), 1)
    assert handle.steps == 1


def test_frozen_weights_need_no_backward():
    """Masks of a frozen part, under something that is trained."""
    body, head = nn.Linear(16, 8).requires_grad_(False), nn.Linear(8, 3)
    model = nn.Sequential(body, head)
    handle = mst.sparsify(model, "4:8")
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    handle.attach(optimizer)  # it does not train the frozen ones: fine
    before = snapshot(handle)
    model(torch.randn(4, 16)).sum().backward()
    optimizer.step()
    assert handle.steps == 1
    assert equal(before, handle.masks)


def test_attach():
    model = net()
    optimizer = optimizer_for(model)
    handle = mst.sparsify(model, "4:8", optimizer=optimizer)
    with pytest.raises(InvalidInput) as error:
        handle.step()
    assert str(error.value) == ("the optimizer calls step by itself since attach: leave it out")
    for seed in range(3):
        optimizer.zero_grad()
        backward(model, seed)
        optimizer.step()
        assert handle.steps == seed + 1
        assert equal(handle.masks, solved(handle))
    with pytest.raises(InvalidInput) as error:
        handle.attach(optimizer)
    assert str(error.value) == "an optimizer is attached already"
    handle.detach()
    backward(model)
    optimizer.step()
    assert handle.steps == 3
    handle.step()
    assert handle.steps == 4


def test_attach_with_a_closure():
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    handle = mst.sparsify(model, "4:8", optimizer=optimizer)

    def closure():
        optimizer.zero_grad()
        return backward(model)

    optimizer.step(closure)
    assert handle.steps == 1
    assert equal(handle.masks, solved(handle))


def test_an_optimizer_of_other_parameters():
    model, other = net(), net()
    handle = mst.sparsify(model, "4:8")
    with pytest.raises(InvalidInput) as error:
        handle.attach(optimizer_for(other))
    assert str(error.value) == "the optimizer does not train conv.weight"
    with pytest.raises(InvalidInput) as error:
        handle.attach(torch.optim.SGD([p for p in model.parameters() if p.ndim == 1], lr=0.1))
    assert str(error.value) == "the optimizer does not train conv.weight"
    with pytest.raises(InvalidInput) as error:
        handle.attach(torch.optim.lr_scheduler.StepLR(optimizer_for(model), 1))
    assert str(error.value) == "optimizer must be a torch optimizer, got StepLR"
    train(handle, optimizer_for(model), 1)


def test_masked_decay_needs_the_optimizer():
    model = net()
    handle = mst.sparsify(model, "4:8", estimator="masked_decay")
    optimizer = optimizer_for(model)
    backward(model)
    optimizer.step()
    with pytest.raises(InvalidInput) as error:
        handle.step()
    assert str(error.value) == (
        "masked_decay adds to gradients before the optimizer's step: give the optimizer to "
        "sparsify, or to attach"
    )
    handle.attach(optimizer)
    with pytest.raises(InvalidInput) as error:
        optimizer.step(lambda: backward(model))
    sentence = (
        "masked_decay adds to gradients before the optimizer's step, and a closure computes "
        "them within: call backward before step"
    )
    assert str(error.value) == sentence
    with pytest.raises(InvalidInput) as error:
        optimizer.step(closure=lambda: backward(model))
    assert str(error.value) == sentence
    optimizer.step()
    assert handle.steps == 1


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(bad, attached):
    """Named with the step, and no mask is touched, of no layer."""
    model = net()
    handle = mst.sparsify(model, "4:8")
    optimizer = optimizer_for(model)
    train(handle, optimizer, 3)
    if attached:
        handle.attach(optimizer)
    masks, records = snapshot(handle), len(handle.history.records)
    optimizer.zero_grad()
    backward(model)
    model.fc2.parametrizations.weight.original.grad[5, 7] = bad
    with pytest.raises(InvalidInput) as error:
        optimizer.step() or handle.step()
    value = "nan" if bad != bad else f"{-bad}"
    assert str(error.value) == (
        f"fc2.weight at step 4: weights[5, 7] is {value}: scores must be finite; all masks "
        "stay as they were"
    )
    assert equal(masks, handle.masks)
    assert len(handle.history.records) == records
    with torch.no_grad():  # and it goes on, once that is mended
        model.fc2.parametrizations.weight.original.nan_to_num_(posinf=0, neginf=0)
    optimizer.state.clear()
    train(handle, optimizer, 1) if not attached else handle.refresh()
    assert equal(handle.masks, solved(handle))


def test_finalize():
    model, plain = net(), net()
    names = list(plain.state_dict())
    handle = mst.sparsify(model, "4:8", optimizer=optimizer_for(model))
    optimizer = optimizer_for(model)
    backward(model)
    optimizer.step()
    handle.refresh()
    used = {layer.name: layer.used().clone() for layer in handle.layers}
    dense = dict(mst.dense_state_dict(model))
    masks = handle.finalize()
    assert list(model.state_dict()) == names
    assert [type(module) for module in model.modules()] == [type(m) for m in plain.modules()]
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        assert torch.equal(weight.detach(), used[name])
        assert torch.equal(weight != 0, mask)
        assert weight.requires_grad
    plain.load_state_dict(model.state_dict())
    for name, value in plain.state_dict().items():
        assert torch.equal(value, dense[name])
    optimizer.zero_grad()
    backward(model)
    optimizer.step()  # nobody renews masks any more


def test_after_finalize():
    handle = mst.sparsify(net(), "4:8")
    handle.finalize()
    for late in (handle.step, handle.refresh):
        with pytest.raises(InvalidInput) as error:
            late()
        assert str(error.value) == "the model is finalized: there are no masks to renew"
    assert handle.masks == {}
    assert handle.finalize() == {}
    again = mst.sparsify(handle.model, "2:4")  # and anew
    keeps(again, 2, 4)


def test_finalize_with_absorbed_means():
    model = net()
    handle = mst.sparsify(model, "4:8", absorb_mean=True)
    used = handle.layers[1].used().clone()
    masks = handle.finalize()
    assert torch.equal(model.fc1.weight.detach(), used)
    assert torch.equal(model.fc1.weight != 0, masks["fc1.weight"])


def test_going_on_from_a_checkpoint():
    """As if there had been no interruption; the history is the new training's."""

    def whole():
        model = net()
        handle = mst.sparsify(model, "4:8", refresh_every=3, warmup=1, ramp=4)
        optimizer = optimizer_for(model)
        train(handle, optimizer, 5)
        kept = model.state_dict(), optimizer.state_dict(), handle.state_dict()
        kept = torch.load(_saved(kept), weights_only=True)
        train(handle, optimizer, 7)
        return handle, kept

    handle, (weights, momenta, steps) = whole()
    assert steps == {"steps": 5}
    torch.manual_seed(7)
    model = net()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    resumed = mst.sparsify(model, "4:8", refresh_every=3, warmup=1, ramp=4)
    optimizer = optimizer_for(model)
    model.load_state_dict(weights)
    optimizer.load_state_dict(momenta)
    resumed.load_state_dict(steps)
    train(resumed, optimizer, 7)
    assert resumed.steps == handle.steps == 12
    assert equal(resumed.masks, handle.masks)
    for name, value in handle.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    assert [record.step for record in resumed.history.records] == [6, 9, 12]
    latest = handle.history.records[-3:]
    for one, other in zip(latest[1:], resumed.history.records[1:], strict=True):
        assert one.whole.flips == other.whole.flips


def _saved(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_a_handle_to_what_has_masks_already():
    model = net()
    one = mst.sparsify(model, "4:8")
    before = snapshot(one)
    other = mst.Handle(model, refresh_every=2)
    assert equal(before, other.masks)
    train(other, optimizer_for(model), 2)
    assert equal(other.masks, solved(other))
    with pytest.raises(InvalidInput) as error:
        mst.Handle(net())
    assert str(error.value) == "Net has no masks: sparsify it first"
    with pytest.raises(UnknownMethod):
        mst.Handle(model, method="magic")


class Writer:
    """Takes scalars as TensorBoard's does."""

    def __init__(self):
        self.scalars = []

    def add_scalar(self, tag, value, step):
        self.scalars.append((tag, float(value), step))


def test_writer():
    writer, model = Writer(), net()
    handle = mst.sparsify(model, "4:8", writer=writer, refresh_every=2)
    train(handle, optimizer_for(model), 4)
    expected = []
    for record in handle.history.records:
        rows = {"": record.whole, **{f"/{k}": row for k, row in record.layers.items()}}
        expected += [
            (f"masksolve/{key}{name}", getattr(row, key), record.step)
            for name, row in rows.items()
            for key in ("flip_rate", "kept_share", "seconds")
        ]
    assert writer.scalars == expected
    assert {step for _, _, step in writer.scalars} == {0, 2, 4}


def test_repr():
    model = net()
    handle = mst.sparsify(model, {"conv": "2:4", "*": "4:8"})
    assert repr(handle) == "Handle(Net, 3 weights, 2:4, 4:8, exact, step 0)"


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
