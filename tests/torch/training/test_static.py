"""Static masks: what is pruned stays where it is, whatever the optimizer."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from tests.torch.trained import backward, net, train

MOVING = {
    "Muon": lambda weights: torch.optim.Muon([w for w in weights if w.ndim == 2], lr=0.1),
    "AdamW with decay": lambda weights: torch.optim.AdamW(weights, lr=0.1, weight_decay=0.1),
    "fused AdamW": lambda weights: torch.optim.AdamW(weights, weight_decay=0.1, fused=True),
    "SGD": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=0.1),
}


def pruned(handle):
    return {layer.name: layer.weight[~layer.mask].clone() for layer in handle.layers}


def same(handle, before):
    return [torch.equal(layer.weight[~layer.mask], before[layer.name]) for layer in handle.layers]


@pytest.fixture(params=MOVING)
def attached(request):
    """A handle to two linear layers, and the optimizer that it is attached to."""
    model = net()
    optimizer = MOVING[request.param](list(model.parameters()))
    handle = mst.sparsify(model, "4:8", select=nn.Linear, estimator="none", optimizer=optimizer)
    return handle, optimizer


def test_pruned_weights_stay_and_kept_ones_move(attached):
    handle, optimizer = attached
    before = pruned(handle)
    kept = {layer.name: layer.weight[layer.mask].clone() for layer in handle.layers}
    for seed in range(3):
        optimizer.zero_grad()
        backward(handle.model, seed)
        optimizer.step()
    assert all(same(handle, before))
    for layer in handle.layers:
        assert (layer.weight[layer.mask] != kept[layer.name]).float().mean() > 0.9


@pytest.mark.parametrize("name", [name for name in MOVING if name != "Muon"])
def test_kept_weights_move_as_without_a_handle(name):
    """Where each entry has a step of its own: Muon's depends on all of the matrix."""
    handles, optimizers = [], []
    for held in (True, False):
        model = net()
        optimizers.append(MOVING[name](list(model.parameters())))
        options = {"optimizer": optimizers[-1]} if held else {}
        handles.append(mst.sparsify(model, "4:8", estimator="none", **options))
    before = pruned(handles[1])
    for seed in range(3):
        for handle, optimizer in zip(handles, optimizers, strict=True):
            optimizer.zero_grad()
            backward(handle.model, seed)
            optimizer.step()
    assert not any(same(handles[1], before))
    for held, free in zip(handles[0].layers, handles[1].layers, strict=True):
        assert torch.equal(held.weight[held.mask], free.weight[free.mask])


def test_what_a_ramp_prunes_stays_from_then_on():
    """Momentum would carry on what it moved before."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    handle = mst.sparsify(model, "4:8", estimator="none", ramp=4, optimizer=optimizer)
    for seed in range(8):
        before, masks = pruned(handle), {k: m.clone() for k, m in handle.masks.items()}
        optimizer.zero_grad()
        backward(model, seed)
        optimizer.step()
        for layer in handle.layers:
            assert torch.equal(layer.weight[~masks[layer.name]], before[layer.name])


def test_a_closure():
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    handle = mst.sparsify(model, "4:8", estimator="none", optimizer=optimizer)
    before = pruned(handle)

    def closure():
        optimizer.zero_grad()
        return backward(model)

    optimizer.step(closure)
    assert all(same(handle, before))


def test_a_step_before_the_first_backward_is_noticed_still():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters())
    mst.sparsify(model, "4:8", estimator="none", optimizer=optimizer)
    with pytest.raises(InvalidInput, match="step came before the first backward pass"):
        optimizer.step()


def test_other_estimators_and_detached_optimizers_are_left_alone():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    handle = mst.sparsify(model, {"fc1": "4:8"}, estimator="none", optimizer=optimizer)
    handle.detach()
    before = pruned(handle)
    train(handle, optimizer, 1)
    assert not any(same(handle, before))
    handle.finalize()
    handle = mst.sparsify(model, "4:8", optimizer=optimizer)
    before = handle.layers[0].weight.clone()
    backward(model)
    optimizer.step()
    assert (handle.layers[0].weight != before).all()
