"""Mixed and low precision, loss scaling, and gradients that pile up over batches."""

import pytest
import torch
from torch import nn
from torch.amp import GradScaler, autocast

import masksolve.torch as mst
from masksolve.torch.masked import ESTIMATORS


def make(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 8)).to(dtype)


def sparse(lr=0.5, dtype=torch.float32, fused=None, **options):
    model = make(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, fused=fused)
    return model, optimizer, mst.sparsify(model, "2:4", optimizer=optimizer, **options)


def batches(number, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(4, 16, generator=generator).to(dtype) for _ in range(number)]


def dense(handle):
    return {layer.name: layer.weight.clone() for layer in handle.layers}


def valid(handle):
    """Tell whether every mask is one of the weights as they are now."""
    before = {name: mask.clone() for name, mask in handle.masks.items()}
    handle.refresh()
    return all(torch.equal(before[name], mask) for name, mask in handle.masks.items())


@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_trains_the_same_weights_with_the_same_masks(dtype, estimator, absorb_mean):
    model, optimizer, handle = sparse(estimator=estimator, absorb_mean=absorb_mean)
    full = [module.weight.clone() for module in (model[0], model[2])]
    for x in batches(3):
        with autocast("cpu", dtype=dtype):
            y = model(x)
            assert y.dtype == dtype
            # The masked weight is of the dense one's type: autocast casts it for the product.
            assert model[0].weight.dtype == torch.float32
        optimizer.zero_grad()
        y.float().square().mean().backward()
        assert all(layer.gradient.dtype == torch.float32 for layer in handle.layers)
        optimizer.step()
    assert handle.steps == 3
    assert not torch.equal(full[0], model[0].weight)
    if estimator != "none":
        assert valid(handle)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_low_precision(dtype, estimator):
    options = {"estimator": estimator, "absorb_mean": True, "decay": 0.01}
    model, optimizer, handle = sparse(dtype=dtype, **options)
    for x in batches(3, dtype):
        optimizer.zero_grad()
        model(x).float().square().mean().backward()
        assert model[0].weight.dtype == handle.layers[0].gradient.dtype == dtype
        optimizer.step()
    for mask in handle.masks.values():
        assert set(mask.view(-1, 4).sum(1).tolist()) == {2}
    assert handle.history.records[-1].whole.gap == 0
    handle.finalize()
    assert model[0].weight.dtype == dtype


def test_a_change_of_precision_keeps_the_masks():
    model = make()
    handle = mst.sparsify(model, "2:4")
    masks = {name: mask.clone() for name, mask in handle.masks.items()}
    x = batches(1)[0]
    model(x), model(x)  # masks are kept as factors of float32 by now
    model.to(torch.bfloat16)
    assert model[0].weight.dtype == torch.bfloat16
    assert torch.equal(model[0].weight != 0, masks["0.weight"])
    model.double()
    assert torch.equal(model[0].weight != 0, masks["0.weight"])
    assert handle.masks["0.weight"].dtype == torch.bool


# Gradients that pile up


@pytest.mark.parametrize("estimator", ["ste", "masked_decay", "none"])
def test_batches_in_two_halves_make_the_same_steps(estimator):
    halves, outcomes = batches(6), []
    for accumulate in (1, 2):
        model, optimizer, handle = sparse(estimator=estimator, decay=0.01)
        for one, two in zip(halves[::2], halves[1::2], strict=True):
            optimizer.zero_grad()
            for piece in torch.cat([one, two]).chunk(accumulate):
                (model(piece).square().mean() / accumulate).backward()
            optimizer.step()
        assert handle.steps == 3
        outcomes.append((dense(handle), handle.masks))
    (weights, masks), (others, other_masks) = outcomes
    for name, weight in weights.items():
        torch.testing.assert_close(weight, others[name])
        assert torch.equal(masks[name], other_masks[name])


def decayed(estimator, batches, scaler=None, fused=None, unscale=False):
    """Return what the gradients were when the optimizer used them, and the handle."""
    model, optimizer, handle = sparse(1.0, fused=fused, estimator=estimator, decay=0.5)
    before = dense(handle)
    for x in batches:
        loss = model(x).square().mean()
        (loss if scaler is None else scaler.scale(loss)).backward()
    if scaler is None:
        optimizer.step()
    else:
        if unscale:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    after = dense(handle)
    return {name: before[name] - after[name] for name in before}, before, handle


def test_sr_ste_decays_in_every_backward_pass_and_masked_decay_once():
    piled = batches(2)
    plain, before, handle = decayed("ste", piled)
    masks = {layer.name: mst.solve_mask(before[layer.name], "2:4") for layer in handle.layers}
    for estimator, times in {"sr_ste": 2, "masked_decay": 1}.items():
        steps, _, _ = decayed(estimator, piled)
        for name, step in steps.items():
            extra = times * 0.5 * before[name] * ~masks[name]
            torch.testing.assert_close(step, plain[name] + extra)


# Loss scales


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("unscale", [False, True])
def test_masked_decay_is_what_it_is_without_a_scale(fused, unscale):
    expected, _, _ = decayed("masked_decay", batches(1))
    scaler = GradScaler("cpu", init_scale=1024.0)
    steps, _, handle = decayed("masked_decay", batches(1), scaler, fused, unscale)
    assert handle.steps == 1
    for name, step in steps.items():
        torch.testing.assert_close(step, expected[name], rtol=1e-4, atol=1e-5)


def test_sr_ste_under_a_scale_all_but_vanishes():
    """As the guide says: it joins the scaled gradient, and the scale is divided out."""
    plain, before, _ = decayed("ste", batches(1))
    steps, _, _ = decayed("sr_ste", batches(1), GradScaler("cpu", init_scale=1024.0))
    for name, step in steps.items():
        extra = 0.5 / 1024 * before[name] * ~mst.solve_mask(before[name], "2:4")
        torch.testing.assert_close(step, plain[name] + extra, rtol=1e-4, atol=1e-5)


def test_a_step_that_the_scaler_skips_is_no_step():
    model, optimizer, handle = sparse(1.0, estimator="masked_decay")
    before = dense(handle)
    scaler = GradScaler("cpu", init_scale=1024.0)
    scaler.scale(model(batches(1)[0] * float("inf")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert handle.steps == 0
    assert all(torch.equal(before[name], weight) for name, weight in dense(handle).items())
