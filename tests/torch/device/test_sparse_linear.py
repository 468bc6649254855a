"""Sparse products on a real device: ``TRITON_INTERPRET=0 pytest tests/torch/device``."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.torch.gpu.support import interpreted
from masksolve.torch.masked import ESTIMATORS
from tests.torch.sparse_layers import (
    CLOSE,
    COMPILING,
    INPUTS,
    assert_like,
    data,
    linear,
    run,
    stack,
    twins,
    used,
)

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)
if interpreted():  # what inductor writes would be interpreted as well
    pytest.skip("TRITON_INTERPRET=0 is not set", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of SparseSemiStructuredTensor")


def served(layer):
    """Skip if this device has no sparse products."""
    if layer.why_not() is not None:
        pytest.skip(layer.why_not())
    return layer


def on_gpu(dtype, **options):
    sparse, dense = twins(dtype, "cuda", **options)
    return served(sparse), dense


@pytest.mark.parametrize("shape", [(256, INPUTS), (1, INPUTS), (7, 13, INPUTS), (INPUTS,)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_products_and_gradients(estimator, dtype, shape):
    sparse, dense = on_gpu(dtype, estimator=estimator, decay=0.1)
    x = data(*shape, dtype=dtype, device="cuda")
    assert_like(run(sparse, x), run(dense, x), CLOSE[dtype])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(1024, 1024), (1024, 4096), (4096, 1024)])
def test_large_layers(shape, dtype):
    torch.manual_seed(0)
    layer = served(mst.SparseLinear(*shape, device="cuda", dtype=dtype))
    x = data(2048, shape[0], dtype=dtype, device="cuda")
    exact = nn.functional.linear(x.double(), used(layer).double(), layer.bias.double())
    y = layer(x)
    assert_like([y.detach().double()], [exact.detach()], CLOSE[dtype])
    g = torch.randn_like(y)
    (by_x,) = torch.autograd.grad(y, x, g)
    assert_like([by_x.double()], [g.double() @ used(layer).double()], CLOSE[dtype])


def test_weights_that_are_negative_zeros_or_not_kept():
    """Whatever a library takes for a zero: what is pruned is -0 where a weight is negative."""
    sparse, dense = on_gpu(torch.bfloat16)
    for layer in (sparse, dense):
        with torch.no_grad():
            layer.parametrizations.weight.original.abs_().neg_()
            layer.parametrizations.weight.original[:64] = 0
    x = data(256, INPUTS, device="cuda")
    assert_like(run(sparse, x), run(dense, x), CLOSE[torch.bfloat16])


def test_training_autocast_and_refresh():
    found = []
    for way in ("sparse", "dense"):
        model = stack().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        handle = mst.sparsify(model, "2:4", products=way, optimizer=optimizer)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                if way == "sparse":
                    assert handle.dense_products == []
                x = data(256, 64, dtype=torch.float32, device="cuda", grad=False)
                loss = (model(x).float() - 1).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        found.append(losses)
    assert found[0] == pytest.approx(found[1], rel=0.1)


def test_moving_there_and_back():
    layer, _ = linear(products="sparse")
    x = data(8, INPUTS, grad=False)
    with pytest.warns(UserWarning, match="it is on the CPU"):
        expected = layer(x)
    served(layer.cuda())
    assert_like([layer(x.cuda()).cpu()], [expected], CLOSE[torch.bfloat16])
    layer.cpu()
    assert_like([layer(x)], [expected], CLOSE[torch.bfloat16])


@COMPILING
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # inductor loads it
def test_compiled():
    torch._dynamo.reset()
    sparse, dense = on_gpu(torch.bfloat16)
    compiled = torch.compile(sparse, fullgraph=True)
    for rows in (64, 256):
        x = data(rows, INPUTS, device="cuda")
        assert_like(run(compiled, x), run(dense, x), CLOSE[torch.bfloat16])


def test_captured_graph_sees_new_weights():
    sparse, dense = on_gpu(torch.bfloat16)
    x = data(64, INPUTS, device="cuda", grad=False)
    stream = torch.cuda.Stream()
    with torch.no_grad():
        with torch.cuda.stream(stream):
            sparse(x)  # warm up
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = sparse(x)
        for scale in (1, 2):
            for layer in (sparse, dense):
                layer.parametrizations.weight.original.mul_(scale)
            graph.replay()
            assert_like([y], [dense(x)], CLOSE[torch.bfloat16])
