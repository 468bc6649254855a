"""Sparse products: both their operands, gradients, and what was compressed and when it is stale.

Torch's own compressed tensors are multiplied by what `emulation` puts in the place of their
kernel; tests/torch/device has the same layers on a GPU.
"""

import pytest
import torch

import masksolve.torch as mst
from masksolve.torch.masked import ESTIMATORS
from masksolve.torch.semi_structured import keeps_half
from tests.torch.sparse_layers import (
    CLOSE,
    INPUTS,
    OUTPUTS,
    assert_like,
    assert_uses,
    data,
    linear,
    run,
    stack,
    twins,
    used,
)


@pytest.fixture
def layer(emulated):
    return linear(products="sparse")[0]


# Both products


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_products_and_gradients_are_those_of_the_masked_dense_layer(
    emulated, estimator, absorb_mean, dtype
):
    options = {"estimator": estimator, "absorb_mean": absorb_mean, "decay": 0.1}
    sparse, dense = twins(dtype, **options)
    x = data(24, INPUTS, dtype=dtype)
    assert sparse.why_not() is None
    assert_like(run(sparse, x), run(dense, x), CLOSE[dtype])
    assert len(emulated.operands) == 2


def test_either_product_gets_its_compressed_operand(emulated):
    layer, handle = linear(products="sparse")
    run(layer, data(8, INPUTS))
    forward, backward = emulated.operands
    kept = layer.parametrizations.weight.original.detach() * handle.masks["weight"]
    assert torch.equal(forward, kept)
    assert torch.equal(backward, kept.t())
    assert keeps_half(handle.masks["weight"])


def test_the_inputs_of_a_first_layer_need_no_second_operand(emulated, layer):
    layer(data(8, INPUTS, grad=False)).sum().backward()
    assert len(emulated.compressed) == len(emulated.operands) == 1
    assert layer.parametrizations.weight.original.grad is not None


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "1:2", "2:4,at-most"])
def test_what_lies_within_2_4_runs_sparse(emulated, pattern):
    torch.manual_seed(0)
    layer = mst.SparseLinear(INPUTS, OUTPUTS, dtype=torch.bfloat16, pattern=pattern)
    assert layer.why_not() is None
    assert_uses(layer, data(8, INPUTS))
    assert len(emulated.operands) == 1


@pytest.mark.parametrize("shape", [(INPUTS,), (1, INPUTS), (2, 3, 5, INPUTS), (0, INPUTS)])
@pytest.mark.parametrize("bias", [False, True])
def test_inputs_of_any_shape(emulated, shape, bias):
    torch.manual_seed(0)
    layer = mst.SparseLinear(INPUTS, OUTPUTS, bias=bias, dtype=torch.bfloat16)
    x = data(*shape)
    assert_uses(layer, x)
    layer(x).sum().backward()  # whose gradient is one number, expanded
    assert x.grad.shape == x.shape


def test_strides_of_inputs_do_not_matter(layer):
    x = data(INPUTS, 6).t()
    torch.testing.assert_close(layer(x), layer(x.contiguous()))


def test_outputs_may_be_changed_in_place(layer):
    y = layer(data(8, INPUTS))
    assert not y._is_view()
    y.mul_(2).sum().backward()


def test_a_wrong_width_is_what_torch_says_it_is(layer):
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(data(8, INPUTS + 1))


def test_a_weight_that_is_zero_where_it_is_kept(layer):
    with torch.no_grad():
        layer.parametrizations.weight.original[:64] = 0
    assert_uses(layer, data(8, INPUTS))


def test_gradients_of_gradients_are_refused(layer):
    x = data(8, INPUTS)
    (by_x,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        by_x.sum().backward()


# What was compressed, and when it is stale


def count(emulated, layer, x=None):
    """How many weights a forward pass compresses; check that it uses the weight as it is."""
    emulated.forget()
    x = data(8, INPUTS, grad=False) if x is None else x
    assert_uses(layer, x)
    return len(emulated.compressed)


def test_a_weight_that_stays_is_compressed_once(emulated, layer):
    with torch.no_grad():
        assert count(emulated, layer) == 1
        assert count(emulated, layer) == 0
    assert count(emulated, layer, data(8, INPUTS)) == 1  # the transpose
    assert count(emulated, layer, data(8, INPUTS)) == 0


def test_two_uses_in_one_step_share_it(emulated, layer):
    x = data(8, INPUTS)
    loss = layer(x).sum() + layer(2 * x).sum()
    assert len(emulated.compressed) == 2
    loss.backward()
    assert len(emulated.compressed) == 2
    assert len(emulated.operands) == 4


def changes(layer, handle):
    """What makes a compressed weight stale, by name."""
    original, mask = (layer.parametrizations.weight.original, layer.parametrizations.weight[0].mask)
    state = {k: v.flip(0) if v.ndim == 2 else v for k, v in layer.state_dict().items()}
    return {
        "in place": lambda: original.mul_(2),
        "set": lambda: setattr(layer, "weight", torch.full_like(original, 3)),
        "data": lambda: setattr(original, "data", original.detach().flip(1)),
        "mask": lambda: mask.copy_(mask.flip(0)),
        "loaded": lambda: layer.load_state_dict(state),
        "assigned": lambda: layer.load_state_dict(state, assign=True),
        "refreshed": lambda: (original.copy_(original.flip(0)), handle.refresh()),
        "moved": lambda: layer.to("cpu", torch.bfloat16),
        "evaluated": lambda: (original.data.mul_(2), layer.eval()),
        "renewed": lambda: (original.data.mul_(2), layer.renew()),
    }


@pytest.mark.parametrize("how", changes(*linear()))
def test_a_stale_one_is_noticed(emulated, how):
    layer, handle = linear(products="sparse")
    with torch.no_grad():
        assert count(emulated, layer) == 1
        changes(layer, handle)[how]()
        assert count(emulated, layer) == 1


def test_a_gradient_announces_a_change_that_torch_does_not_count(emulated, layer):
    x = data(8, INPUTS)
    layer(x).sum().backward()
    original = layer.parametrizations.weight.original
    original.data.sub_(original.grad)  # as many optimizers outside torch do
    assert count(emulated, layer) == 1


def test_a_frozen_weight_stays_compressed(emulated, layer):
    layer.parametrizations.weight.original.requires_grad_(False)
    x = data(8, INPUTS)
    for expected in (2, 0, 0):
        emulated.forget()
        layer(x).sum().backward()
        assert len(emulated.compressed) == expected


def test_backward_uses_the_weight_of_its_own_forward_pass(layer):
    x = data(8, INPUTS)
    before = used(layer)
    y = layer(x)
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(2)
        layer(x)
    (by_x,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(by_x, torch.ones_like(y) @ before)


def test_weights_whose_changes_torch_does_not_count(emulated):
    layer, _ = linear(torch.float32, products="sparse")
    with torch.inference_mode():
        layer.to(torch.bfloat16)
        assert count(emulated, layer) == 1
        assert count(emulated, layer) == 1


def test_training_is_that_of_the_dense_twin(emulated):
    losses = []
    for way in ("sparse", "dense"):
        model = stack().bfloat16()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        mst.sparsify(model, "2:4", products=way, optimizer=optimizer, refresh_every=2)
        found = []
        for _ in range(8):
            optimizer.zero_grad()
            loss = (model(data(32, 64, grad=False)) - 1).square().mean()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        losses.append(found)
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)
    assert losses[0][-1] < 0.9 * losses[0][0]


def test_what_was_compressed_for_inference_alone_is_not_trained_with(emulated, layer):
    with torch.inference_mode():
        assert count(emulated, layer) == 1
    assert count(emulated, layer) == 1
