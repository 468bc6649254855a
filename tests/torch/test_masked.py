"""The gradients of the estimators against hand-written ones, in float64."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import parametrize

import masksolve.torch as mst
from masksolve import Pattern
from masksolve.torch.masked import ESTIMATORS, decode, encode, pruned, shares_of_pruned

DECAY = 0.3

pytestmark = pytest.mark.usefixtures("double")


def masked_linear(estimator, absorb_mean=False, pattern="4:8"):
    """A layer, its handle, and its dense weight and mask as plain tensors."""
    layer = nn.Linear(16, 8)
    handle = mst.sparsify(layer, pattern, estimator=estimator, decay=DECAY, absorb_mean=absorb_mean)
    return layer, handle, handle.layers[0].original, handle.masks["weight"]


def absorbed(weight, mask, m=8):
    """What each line of m has lost, shared among what it keeps: entry by entry."""
    found = weight.detach().clone()
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], m):
            group = range(start, min(start + m, weight.shape[1]))
            kept = [j for j in group if mask[row, j]]
            lost = sum(weight[row, j].item() for j in group if not mask[row, j])
            for j in group:
                found[row, j] = weight[row, j] + lost / len(kept) if mask[row, j] else 0.0
    return found


def by_hand(estimator, gradient, weight, mask, uses=1):
    """The table of formulas; `uses`: how often the layer was used in forward passes."""
    return {
        "ste": gradient,
        "masked_decay": gradient,
        "sr_ste": gradient + uses * DECAY * ~mask * weight.detach(),
        "none": gradient * mask,
    }[estimator]


def loss_and_gradient(weight, bias, x, target):
    """Half the squared distance of a linear layer's output, and its gradient by the weight."""
    off = x @ weight.T + bias - target
    return 0.5 * (off**2).sum(), off.T @ x


@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_backward(estimator, absorb_mean):
    layer, _, weight, mask = masked_linear(estimator, absorb_mean)
    x, target = torch.randn(5, 16), torch.randn(5, 8)
    used = absorbed(weight, mask) if absorb_mean else weight.detach() * mask
    torch.testing.assert_close(layer.weight.detach(), used)
    loss = 0.5 * ((layer(x) - target) ** 2).sum()
    expected, gradient = loss_and_gradient(used, layer.bias.detach(), x, target)
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    torch.testing.assert_close(weight.grad, by_hand(estimator, gradient, weight, mask))


@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("how", ["accumulate", "two forwards", "twice in one"])
def test_several_uses(how, estimator, absorb_mean):
    """SR-STE's decay comes with every use of the weight, as in its authors' code."""
    layer, _, weight, mask = masked_linear(estimator, absorb_mean)
    used = absorbed(weight, mask) if absorb_mean else weight.detach() * mask
    total = torch.zeros_like(weight)
    losses = []
    for k in range(2):
        x, target = torch.randn(5, 16), torch.randn(5, 8)
        total += loss_and_gradient(used, layer.bias.detach(), x, target)[1]
        losses.append(0.5 * ((layer(x) - target) ** 2).sum())
        if how == "accumulate":
            losses[k].backward()
    if how != "accumulate":
        sum(losses).backward()
    torch.testing.assert_close(weight.grad, by_hand(estimator, total, weight, mask, uses=2))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_cell_over_time(estimator):
    """With `parametrize.cached` the weight is masked once, and so is SR-STE's decay added."""
    cell = nn.RNNCell(8, 8, nonlinearity="relu")
    handle = mst.sparsify(cell, "4:8", estimator=estimator, decay=DECAY)
    plain = nn.RNNCell(8, 8, nonlinearity="relu")
    plain.load_state_dict(mst.dense_state_dict(cell))
    x = torch.randn(5, 3, 8)

    def run(cell):
        h = torch.zeros(3, 8)
        for step in x:
            h = cell(step, h)
        h.square().sum().backward()

    run(plain)
    for cached, uses in ((False, len(x)), (True, 1)):
        for layer in handle.layers:
            layer.original.grad = None
        if cached:
            with parametrize.cached():
                run(cell)
        else:
            run(cell)
        for layer in handle.layers:
            gradient = getattr(plain, layer.tensor_name).grad
            expected = by_hand(estimator, gradient, layer.weight, layer.mask, uses)
            torch.testing.assert_close(layer.gradient, expected)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_masked_decay_joins_once_before_the_step(accumulate):
    layer, handle, weight, mask = masked_linear("masked_decay")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    handle.attach(optimizer)
    before, mask = weight.detach().clone(), mask.clone()
    total = torch.zeros_like(weight)
    for _ in range(accumulate):
        x, target = torch.randn(5, 16), torch.randn(5, 8)
        total += loss_and_gradient(before * mask, layer.bias.detach(), x, target)[1]
        (0.5 * ((layer(x) - target) ** 2).sum()).backward()
    torch.testing.assert_close(weight.grad, total)  # not yet
    optimizer.step()
    decayed = total + DECAY * ~mask * before
    torch.testing.assert_close(weight.grad, decayed)
    torch.testing.assert_close(weight.detach(), before - 0.1 * decayed)


def test_masked_decay_leaves_what_has_no_gradient():
    model = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mst.sparsify(model, "4:8", estimator="masked_decay", decay=DECAY, optimizer=optimizer)
    unused = model[1].parametrizations.weight.original.detach().clone()
    model[0](torch.randn(5, 8)).sum().backward()
    optimizer.step()
    torch.testing.assert_close(model[1].parametrizations.weight.original.detach(), unused)


@pytest.mark.parametrize("absorb_mean", [False, True])
def test_gradcheck_where_the_gradient_is_the_true_one(absorb_mean):
    """Only `none` differentiates what is computed; what is absorbed counts as a constant."""
    layer, _, weight, _ = masked_linear("none", absorb_mean)
    masked = layer.parametrizations.weight[0]
    constant = shares_of_pruned(weight.detach(), masked.mask, 8, masked.layout)
    if absorb_mean:
        inputs = (weight.detach().clone().requires_grad_(),)
        (found,) = torch.autograd.grad(masked(inputs[0]).sum(), inputs)
        torch.testing.assert_close(found, masked.mask.double())
        torch.testing.assert_close(masked(weight), (weight + constant) * masked.mask)
    else:
        assert torch.autograd.gradcheck(masked, (weight,))
        assert torch.autograd.gradgradcheck(lambda w: masked(w).square(), (weight,))


@pytest.mark.parametrize("fault", ["mask it", "no decay", "decay all", "decay the kept"])
def test_planted_faults_are_caught(fault):
    """The comparison can tell the estimators apart."""
    layer, _, weight, mask = masked_linear("sr_ste")
    x, target = torch.randn(5, 16), torch.randn(5, 8)
    _, gradient = loss_and_gradient(weight.detach() * mask, layer.bias.detach(), x, target)
    (0.5 * ((layer(x) - target) ** 2).sum()).backward()
    torch.testing.assert_close(weight.grad, by_hand("sr_ste", gradient, weight, mask))
    wrong = {
        "mask it": by_hand("sr_ste", gradient, weight, mask) * mask,
        "no decay": gradient,
        "decay all": gradient + DECAY * weight.detach(),
        "decay the kept": gradient + DECAY * mask * weight.detach(),
    }[fault]
    with pytest.raises(AssertionError):
        torch.testing.assert_close(weight.grad, wrong)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_dtypes(estimator, dtype):
    layer = nn.Linear(16, 8).to(dtype)
    handle = mst.sparsify(layer, "4:8", estimator=estimator, absorb_mean=True)
    weight, mask = handle.layers[0].original, handle.masks["weight"]
    for _ in range(3):  # the mask is kept in the weight's type when it is used again
        assert layer.weight.dtype == dtype
        expected, eps = absorbed(weight.double(), mask), torch.finfo(dtype).eps
        found = layer.weight.detach().double()
        torch.testing.assert_close(found, expected, rtol=0, atol=4 * eps)
        layer(torch.randn(3, 16, dtype=dtype)).sum().backward()
    assert weight.grad.dtype == dtype


def test_the_layer_sees_a_new_mask_at_once():
    layer, handle, weight, mask = masked_linear("ste")
    for k in range(4):
        assert torch.equal(layer.weight.detach(), weight.detach() * mask)
        assert torch.equal(layer.weight.detach(), weight.detach() * mask)  # from the cache
        with torch.no_grad():
            weight.copy_(torch.randn(8, 16))
        if k % 2:
            handle.refresh()
        else:
            mask.copy_(mask.roll(1, 0))
    layer.to(torch.float32).to(torch.float64)
    assert torch.equal(layer.weight.detach(), weight.detach() * handle.masks["weight"])


def test_a_refresh_does_not_disturb_a_backward_under_way():
    """Straight through needs no mask going back."""
    layer, handle, weight, mask = masked_linear("ste")
    x, target = torch.randn(5, 16), torch.randn(5, 8)
    expected = loss_and_gradient(weight.detach() * mask, layer.bias.detach(), x, target)[1]
    loss = 0.5 * ((layer(x) - target) ** 2).sum()
    handle.refresh()
    loss.backward()
    torch.testing.assert_close(weight.grad, expected)


def test_setting_the_weight_sets_the_dense_one():
    layer, handle, weight, mask = masked_linear("ste")
    new = torch.randn(8, 16)
    layer.weight = new
    torch.testing.assert_close(weight.detach(), new)
    torch.testing.assert_close(layer.weight.detach(), new * mask)
    assert "4:8, ste" in repr(layer)
    handle.refresh()
    torch.testing.assert_close(mask, mst.solve_mask(new, "4:8"))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_ensemble_by_vmap(estimator):
    """torch.func puts wrappers in place of weights and masks."""
    models = [nn.Sequential(nn.Linear(8, 8)) for _ in range(3)]
    for model in models:
        mst.sparsify(model, "2:4", estimator=estimator)
    parameters, buffers = stack_module_state(models)
    x = torch.randn(4, 8)
    run = lambda p, b: functional_call(models[0], (p, b), (x,))  # noqa: E731
    found = vmap(run)(parameters, buffers)
    torch.testing.assert_close(found, torch.stack([model(x) for model in models]))


@pytest.mark.parametrize("text", ["2:4", "4:8,plain", "3:8,at-most", "7:8,plain,at-most"])
def test_patterns_as_numbers(text):
    assert decode(encode(Pattern.parse(text))) == Pattern.parse(text)


def test_shares_keep_the_sum_of_each_line():
    """Also in convolutions, and in the rest of a line that is no multiple of m."""
    for layer in (nn.Conv2d(12, 8, 3), nn.ConvTranspose2d(8, 24, 2, groups=2), nn.Linear(14, 11)):
        handle = mst.sparsify(layer, "2:4", select=type(layer), absorb_mean=True)
        (one,) = handle.layers

        def sums(tensor, one=one):
            lines = one.layout.matrices(tensor).movedim(one.layout.matrix_axes[1], -1)
            return torch.stack([part.sum(-1) for part in lines.split(4, dim=-1)])

        keeps_some = sums(one.mask) > 0
        torch.testing.assert_close(sums(one.used()), sums(one.weight) * keeps_some)
        assert torch.equal(one.used() != 0, one.mask)


def test_a_line_that_keeps_nothing_absorbs_nothing():
    weight, nothing = torch.randn(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    assert math.isfinite(shares_of_pruned(weight, nothing, 4, mst.Layout()).sum())
    assert torch.equal(pruned(weight, nothing), weight)
