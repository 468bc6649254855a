"""Linear layers with sparse products: both products' operands, gradients, staleness, fallbacks.

Torch's own compressed tensors are multiplied by what `emulated` puts in the place of their
kernel; tests/torch/device has the same layers on a GPU.
"""

import copy
import io
import warnings
from importlib import import_module

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.func import functional_call, vmap
from torch.utils.checkpoint import checkpoint

import masksolve.torch as mst
from masksolve.errors import InvalidInput, InvalidPattern
from masksolve.torch.masked import ESTIMATORS
from masksolve.torch.semi_structured import keeps_half
from tests.torch.sparse_layers import (
    CLOSE,
    COMPILING,
    INPUTS,
    OUTPUTS,
    assert_like,
    data,
    linear,
    run,
    twins,
    used,
)

module = import_module("masksolve.torch.semi_structured")
CUTLASS = torch.sparse.SparseSemiStructuredTensorCUTLASS
WARNS = pytest.mark.filterwarnings("ignore:the products of a SparseLinear run dense")


class Emulation:
    """Torch's CUTLASS tensors on the CPU: its conversions, and a product that decompresses."""

    def __init__(self):
        self.compressed = []
        self.operands = []

    def from_dense(self, dense):
        assert dense.is_contiguous()
        assert not dense.requires_grad
        assert (dense.unflatten(1, (-1, 4)).count_nonzero(2) <= 2).all()
        self.compressed.append(dense.clone())
        return CUTLASS.from_dense(dense)

    def multiply(self, sparse, dense, *, bias=None, should_transpose_dense=False):
        assert dense.is_contiguous()
        assert should_transpose_dense
        operand = sparse.to_dense()
        self.operands.append(operand)
        return nn.functional.linear(dense, operand, bias)

    def __getattr__(self, name):  # BACKEND, limits
        return getattr(CUTLASS, name)

    def forget(self):
        self.compressed.clear()
        self.operands.clear()


@pytest.fixture
def emulated(monkeypatch):
    emulation = Emulation()
    monkeypatch.setattr(module, "_back_end", lambda device: emulation)
    monkeypatch.setattr(CUTLASS, "_validate_device_dim_dtype_shape", lambda tensor: None)
    monkeypatch.setattr(
        CUTLASS, "_mm", lambda self, dense, **options: emulation.multiply(self, dense, **options)
    )
    monkeypatch.setattr(torch.sparse.SparseSemiStructuredTensor, "_PROTOTYPE_WARNING_SHOWN", True)
    CUTLASS._load_dispatch_table()
    return emulation


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


def test_the_inputs_of_a_first_layer_need_no_second_operand(emulated):
    layer, _ = linear(products="sparse")
    layer(data(8, INPUTS, grad=False)).sum().backward()
    assert len(emulated.compressed) == len(emulated.operands) == 1
    assert layer.parametrizations.weight.original.grad is not None


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "1:2", "2:4,at-most"])
def test_what_lies_within_2_4_runs_sparse(emulated, pattern):
    torch.manual_seed(0)
    layer = mst.SparseLinear(INPUTS, OUTPUTS, dtype=torch.bfloat16, pattern=pattern)
    assert layer.why_not() is None
    y = layer(data(8, INPUTS))
    torch.testing.assert_close(y, nn.functional.linear(data(8, INPUTS), used(layer), layer.bias))
    assert len(emulated.operands) == 1


@pytest.mark.parametrize("shape", [(INPUTS,), (1, INPUTS), (2, 3, 5, INPUTS), (0, INPUTS)])
@pytest.mark.parametrize("bias", [False, True])
def test_inputs_of_any_shape(emulated, shape, bias):
    torch.manual_seed(0)
    layer = mst.SparseLinear(INPUTS, OUTPUTS, bias=bias, dtype=torch.bfloat16)
    x = data(*shape)
    expected = nn.functional.linear(x, used(layer), layer.bias)
    torch.testing.assert_close(layer(x), expected)
    layer(x).sum().backward()  # whose gradient is one number, expanded
    assert x.grad.shape == x.shape


def test_strides_of_inputs_do_not_matter(emulated):
    layer, _ = linear(products="sparse")
    x = data(INPUTS, 6).t()
    torch.testing.assert_close(layer(x), layer(x.contiguous()))


def test_outputs_may_be_changed_in_place(emulated):
    layer, _ = linear(products="sparse")
    y = layer(data(8, INPUTS))
    assert not y._is_view()
    y.mul_(2).sum().backward()


def test_a_wrong_width_is_what_torch_says_it_is(emulated):
    layer, _ = linear(products="sparse")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(data(8, INPUTS + 1))


def test_a_weight_that_is_zero_where_it_is_kept(emulated):
    layer, _ = linear(products="sparse")
    with torch.no_grad():
        layer.parametrizations.weight.original[:64] = 0
    x = data(8, INPUTS)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, used(layer), layer.bias))


def test_gradients_of_gradients_are_refused(emulated):
    layer, _ = linear(products="sparse")
    x = data(8, INPUTS)
    (by_x,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        by_x.sum().backward()


# Masks of ours through torch's conversions


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "1:2", "2:4,at-most"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_torchs_metadata_holds_our_masks(pattern, dtype):
    from torch.sparse import _semi_structured_conversions as conversions

    weight = data(128, 64, dtype=torch.float32, grad=False)
    mask = mst.solve_mask(weight, pattern)
    for kept in (weight * mask, (weight * mask).t()):
        held = kept.to(dtype).contiguous()
        packed, meta = conversions.sparse_semi_structured_from_dense_cutlass(held)
        assert packed.shape == (held.shape[0], held.shape[1] // 2)
        found = conversions.sparse_semi_structured_to_dense_cutlass(packed, meta)
        assert torch.equal(found, held)


# What was compressed, and when it is stale


def count(emulated, layer, x=None):
    """How many weights a forward pass compresses; check that it uses the weight as it is."""
    emulated.forget()
    x = data(8, INPUTS, grad=False) if x is None else x
    torch.testing.assert_close(layer(x), nn.functional.linear(x, used(layer), layer.bias))
    return len(emulated.compressed)


def test_a_weight_that_stays_is_compressed_once(emulated):
    layer, _ = linear(products="sparse")
    with torch.no_grad():
        assert count(emulated, layer) == 1
        assert count(emulated, layer) == 0
    assert count(emulated, layer, data(8, INPUTS)) == 1  # the transpose
    assert count(emulated, layer, data(8, INPUTS)) == 0


def test_two_uses_in_one_step_share_it(emulated):
    layer, _ = linear(products="sparse")
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


def test_a_gradient_announces_a_change_that_torch_does_not_count(emulated):
    layer, _ = linear(products="sparse")
    x = data(8, INPUTS)
    layer(x).sum().backward()
    original = layer.parametrizations.weight.original
    original.data.sub_(original.grad)  # as many optimizers outside torch do
    assert count(emulated, layer) == 1


def test_a_frozen_weight_stays_compressed(emulated):
    layer, _ = linear(products="sparse")
    layer.parametrizations.weight.original.requires_grad_(False)
    x = data(8, INPUTS)
    for expected in (2, 0, 0):
        emulated.forget()
        layer(x).sum().backward()
        assert len(emulated.compressed) == expected


def test_backward_uses_the_weight_of_its_own_forward_pass(emulated):
    layer, _ = linear(products="sparse")
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
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64)).bfloat16()
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


# With the rest of PyTorch


def test_autocast(emulated):
    sparse, dense = twins(torch.float32)
    x = data(8, INPUTS, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert sparse.why_not() is None
        found, expected = run(sparse, x), run(dense, x)
    assert found[0].dtype == torch.bfloat16
    assert found[2].dtype == torch.float32
    assert_like(found, expected, CLOSE[torch.bfloat16])
    assert len(emulated.operands) == 2


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_gradient_checkpointing(emulated, use_reentrant):
    sparse, dense = twins()
    x = data(8, INPUTS)
    found = []
    for layer in (sparse, dense):
        y = checkpoint(layer, x, use_reentrant=use_reentrant)
        y.square().sum().backward()
        found.append([y.detach(), *(p.grad for p in layer.parameters())])
    assert_like(*found, CLOSE[torch.bfloat16])
    assert len(emulated.compressed) == 2


@COMPILING
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_one_compiled_graph_serves_all_weights_and_masks(emulated, backend):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend)
    layer, handle = linear(products="sparse")
    compiled = torch.compile(layer, fullgraph=True, backend=counter)
    x = data(8, INPUTS)
    for step in range(3):
        expected = run(layer, x)
        emulated.forget()
        assert_like(run(compiled, x), expected, CLOSE[torch.bfloat16])
        assert len(emulated.operands) == 2
        with torch.no_grad():
            layer.parametrizations.weight.original.normal_()
        if step:
            handle.refresh()
    assert counter.frame_count == 1


@WARNS
def test_an_exported_program_needs_no_kernels_of_ours(emulated):
    layer, _ = linear(products="sparse")
    x = data(8, INPUTS, grad=False)
    program = torch.export.export(layer.eval(), (x,))
    assert "masksolve" not in str(program.graph)
    torch.testing.assert_close(program.module()(x), layer(x))


def test_transforms_of_functions_multiply_densely(emulated):
    layer, _ = linear(products="sparse")
    x = data(4, 8, INPUTS, grad=False)
    parameters = dict(layer.named_parameters())
    buffers = dict(layer.named_buffers())
    found = vmap(lambda one: functional_call(layer, (parameters, buffers), (one,)))(x)
    torch.testing.assert_close(found, layer(x), rtol=0, atol=1e-2)


def test_what_was_compressed_for_inference_alone_is_not_trained_with(emulated):
    layer, _ = linear(products="sparse")
    with torch.inference_mode():
        assert count(emulated, layer) == 1
    assert count(emulated, layer) == 1


def test_weights_that_fsdp_gathers(emulated, tmp_path):
    """FSDP writes gathered weights uncounted: what is compressed must follow all the same."""
    distributed = pytest.importorskip("torch.distributed")
    if not distributed.is_available():
        pytest.skip("torch without torch.distributed")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        losses = []
        for way in ("sparse", "dense"):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64)).bfloat16()
            handle = mst.sparsify(model, "2:4", products=way)
            for part in (model[0], model[2], model):
                fully_shard(part, mesh=init_device_mesh("cpu", (1,)))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
            x, found = data(32, 64, grad=False), []
            for _ in range(4):
                optimizer.zero_grad()
                (model(x) - 1).square().mean().backward()
                optimizer.step()
                handle.step()
                with torch.no_grad():
                    found.append((model(x) - 1).square().mean().item())
            losses.append(found)
    finally:
        distributed.destroy_process_group()
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert len(emulated.operands) == 4 * 5  # forward twice and back, but for the inputs


def test_the_state_is_that_of_a_masked_layer(emulated):
    sparse, dense = twins()
    run(sparse, data(8, INPUTS))
    assert list(sparse.state_dict()) == list(dense.state_dict())
    dense.load_state_dict(sparse.state_dict())
    assert "weight" in mst.dense_state_dict(sparse)


@pytest.mark.parametrize("how", ["copy", "deepcopy", "pickle"])
def test_copies_compress_for_themselves(emulated, how):
    layer, _ = linear(products="sparse")
    x = data(8, INPUTS, grad=False)
    y = layer(x)
    if how == "pickle":
        held = io.BytesIO()
        torch.save(layer, held)
        twin = torch.load(io.BytesIO(held.getvalue()), weights_only=False)
    else:
        twin = getattr(copy, how)(layer)
    assert isinstance(twin, mst.SparseLinear)
    assert twin.why_not() is None
    assert torch.equal(twin(x), y)
    if how != "copy":
        with torch.no_grad():
            twin.parametrizations.weight.original.zero_()
        assert torch.equal(layer(x), y)


def test_a_finalized_layer_is_plain(emulated):
    layer, handle = linear(products="sparse")
    x = data(8, INPUTS, grad=False)
    y = layer(x)
    handle.finalize()
    assert type(layer) is nn.Linear
    assert not set(vars(layer)) - set(vars(nn.Linear(1, 1)))
    torch.testing.assert_close(layer(x), y)


def test_a_refused_model_is_as_it_was():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    with torch.no_grad():
        model[1].weight[0, 0] = torch.nan
    with pytest.raises(InvalidInput, match="is nan"):
        mst.sparsify(model, "2:4", products="sparse")
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear]


def test_a_handle_takes_charge_of_a_layer_made_directly(emulated):
    torch.manual_seed(0)
    model = nn.Sequential(mst.SparseLinear(64, 64, dtype=torch.bfloat16), nn.ReLU())
    handle = mst.Handle(model)
    assert torch.equal(handle.masks["0.weight"], mst.solve_mask(handle.layers[0].weight, "2:4"))
    with torch.no_grad():
        handle.layers[0].original.normal_()
    handle.refresh()
    assert torch.equal(handle.masks["0.weight"], mst.solve_mask(handle.layers[0].weight, "2:4"))
    assert handle.dense_products == []


def test_warming_up_it_is_dense_without_a_word(emulated):
    layer, handle = linear(products="sparse", warmup=1, ramp=1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    kept = []
    for _ in range(3):
        emulated.forget()
        layer(data(8, INPUTS)).square().sum().backward()
        kept.append((handle.masks["weight"].float().mean().item(), len(emulated.operands)))
        optimizer.step()
        handle.step()
    assert kept == [(1.0, 0), (0.75, 0), (0.5, 2)]


# Where there are no sparse products


def test_the_dense_fallback_is_the_masked_layer_to_the_last_bit():
    sparse, dense = twins(torch.float64)
    x = data(8, INPUTS, dtype=torch.float64)
    with pytest.warns(UserWarning, match=r"run dense: it multiplies in torch\.float64"):
        found = run(sparse, x)
    for ours, theirs in zip(found, run(dense, x), strict=True):
        assert torch.equal(ours, theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        sparse(x)


@WARNS
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Linear(64, 64).bfloat16(), "it is on the CPU: sparse products need a CUDA"),
        (lambda: nn.Linear(64, 64), "it multiplies in torch.float32: .* take torch.float16 and"),
        (lambda: nn.Linear(64, 68).bfloat16(), "cutlass takes multiples of 32 rows"),
    ],
)
def test_why_not(request, make, words):
    layer = make()
    if "cutlass" in words:
        request.getfixturevalue("emulated")
    handle = mst.sparsify(layer, "2:4", products="sparse")
    with pytest.warns(UserWarning, match=words):
        layer(data(8, 64, dtype=layer.bias.dtype))
    assert [name for name, why in handle.dense_products] == ["weight"]
    with pytest.raises(AssertionError):
        assert layer.why_not() is None


@pytest.mark.parametrize("pattern", ["4:8", "2:4,plain", "3:4"])
def test_patterns_that_are_not_2_4_both_ways(emulated, pattern):
    with pytest.raises(InvalidInput, match=f"its pattern is {pattern}: .* both ways, as 2:4"):
        mst.SparseLinear(64, 64, pattern=pattern)
    layer = nn.Linear(64, 64).bfloat16()
    handle = mst.sparsify(layer, pattern, products="sparse")
    with pytest.warns(UserWarning, match=f"its pattern is {pattern}"):
        layer(data(8, 64))
    assert handle.dense_products[0][1].startswith(f"its pattern is {pattern}")
    assert not emulated.operands


def test_a_mask_that_was_changed_by_hand_is_looked_at(emulated):
    layer, _ = linear(products="sparse")
    layer.parametrizations.weight[0].mask.fill_(True)
    assert layer.why_not() == "its mask keeps more than two of four as yet"
    x = data(8, INPUTS)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, used(layer), layer.bias))
    assert not emulated.operands


def test_other_parametrizations_besides(emulated):
    layer, _ = linear(products="sparse")
    nn.utils.parametrize.register_parametrization(layer, "weight", nn.Identity())
    x = data(8, INPUTS)
    with pytest.warns(UserWarning, match="other parametrizations besides"):
        layer(x)
    assert layer.why_not().startswith("it has no mask, or")


def test_the_other_layers_of_a_model_are_named(emulated):
    model = nn.ModuleDict(
        {
            "conv": nn.Conv1d(8, 8, 3),
            "attention": nn.MultiheadAttention(64, 4),
            "fc": nn.Linear(64, 64),
        }
    ).bfloat16()
    handle = mst.sparsify(model, "2:4", products="sparse")
    assert dict(handle.dense_products) == {
        "conv.weight": "it belongs to a Conv1d: only nn.Linear can do else",
        "attention.in_proj_weight": (
            "it belongs to a MultiheadAttention: only nn.Linear can do else"
        ),
        "attention.out_proj.weight": (
            "it belongs to a NonDynamicallyQuantizableLinear: only nn.Linear can do else"
        ),
    }
    handle.finalize()
    handle = mst.sparsify(model["fc"], "2:4")
    assert handle.dense_products == [("weight", "sparse products were not asked for")]


def test_bad_input():
    with pytest.raises(InvalidInput, match="products must be one of dense, sparse, got 'fast'"):
        mst.sparsify(nn.Linear(8, 8), "2:4", products="fast")
    with pytest.raises(InvalidInput, match="has sparse products: masks go to Conv1d"):
        mst.sparsify(nn.Conv1d(8, 8, 3), "2:4", products="sparse")
    with pytest.raises(InvalidInput, match="meta device"):
        mst.SparseLinear(64, 64, device="meta")
    with pytest.raises(InvalidPattern):
        mst.SparseLinear(64, 64, pattern="5:4")


@pytest.mark.parametrize("sizes", [(4, 4), (8, 4), (4, 12), (8, 12)])
def test_keeps_half_counts_four_by_four(sizes):
    mask = torch.zeros(sizes, dtype=torch.bool)
    mask[:2, :2] = True
    assert keeps_half(mask)
    mask[2, 0] = True
    assert not keeps_half(mask)
    assert not keeps_half(mask.t())
    assert not keeps_half(torch.zeros(6, 4, dtype=torch.bool))
