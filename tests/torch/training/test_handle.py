"""The handle: when it renews masks, in which order, what it refuses, how it lets go."""

import io

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput, UnknownMethod
from tests.refusals import says
from tests.torch.trained import backward, equal, keeps, net, optimizer_for, snapshot, solved, train


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
    with says("step came before the first backward pass: call it after optimizer.step()"):
        handle.step()
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
    with says("the optimizer calls step by itself since attach: leave it out"):
        handle.step()
    for seed in range(3):
        optimizer.zero_grad()
        backward(model, seed)
        optimizer.step()
        assert handle.steps == seed + 1
        assert equal(handle.masks, solved(handle))
    with says("an optimizer is attached already"):
        handle.attach(optimizer)
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
    with says("the optimizer does not train conv.weight"):
        handle.attach(optimizer_for(other))
    with says("the optimizer does not train conv.weight"):
        handle.attach(torch.optim.SGD([p for p in model.parameters() if p.ndim == 1], lr=0.1))
    with says("optimizer must be a torch optimizer, got StepLR"):
        handle.attach(torch.optim.lr_scheduler.StepLR(optimizer_for(model), 1))
    train(handle, optimizer_for(model), 1)


def test_masked_decay_needs_the_optimizer():
    model = net()
    handle = mst.sparsify(model, "4:8", estimator="masked_decay")
    optimizer = optimizer_for(model)
    backward(model)
    optimizer.step()
    with says(
        "masked_decay adds to gradients before the optimizer's step: give the optimizer to "
        "sparsify, or to attach"
    ):
        handle.step()
    handle.attach(optimizer)
    with pytest.raises(InvalidInput) as error:
        optimizer.step(lambda: backward(model))
    sentence = (
        "masked_decay adds to gradients before the optimizer's step, and a closure computes "
        "them within: call backward before step"
    )
    assert str(error.value) == sentence
    with says(sentence):
        optimizer.step(closure=lambda: backward(model))
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
        with says("the model is finalized: there are no masks to renew"):
            late()
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
    with says("Net has no masks: sparsify it first"):
        mst.Handle(net())
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
