"""Linear layers with sparse products: among the rest of PyTorch, and where they fall back."""

import copy
import io
import warnings

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.func import functional_call, vmap
from torch.utils.checkpoint import checkpoint

import masksolve.torch as mst
from masksolve.errors import InvalidInput, InvalidPattern
from tests.torch.sparse_layers import (
    CLOSE,
    COMPILING,
    INPUTS,
    assert_like,
    assert_uses,
    data,
    linear,
    run,
    stack,
    twins,
)

WARNS = pytest.mark.filterwarnings("ignore:the products of a SparseLinear run dense")


@pytest.fixture
def layer(emulated):
    return linear(products="sparse")[0]


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
def test_an_exported_program_needs_no_kernels_of_ours(layer):
    x = data(8, INPUTS, grad=False)
    program = torch.export.export(layer.eval(), (x,))
    assert "masksolve" not in str(program.graph)
    torch.testing.assert_close(program.module()(x), layer(x))


def test_transforms_of_functions_multiply_densely(layer):
    x = data(4, 8, INPUTS, grad=False)
    parameters = dict(layer.named_parameters())
    buffers = dict(layer.named_buffers())
    found = vmap(lambda one: functional_call(layer, (parameters, buffers), (one,)))(x)
    torch.testing.assert_close(found, layer(x), rtol=0, atol=1e-2)


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
            model = stack().bfloat16()
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
def test_copies_compress_for_themselves(layer, how):
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


def test_a_mask_that_was_changed_by_hand_is_looked_at(emulated, layer):
    layer.parametrizations.weight[0].mask.fill_(True)
    assert layer.why_not() == "its mask keeps more than two of four as yet"
    assert_uses(layer, data(8, INPUTS))
    assert not emulated.operands


def test_other_parametrizations_besides(layer):
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
