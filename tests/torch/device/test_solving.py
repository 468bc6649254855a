"""The kernels on a real device: ``TRITON_INTERPRET=0 pytest tests/torch/device``."""

import numpy as np
import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidScore
from masksolve.torch.gpu.support import interpreted, why_not
from tests.torch.batched.reference import NARROW_FLOATS
from tests.torch.gpu.tiles import FAMILIES, matrices

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)
if interpreted():
    pytest.skip("kernels are interpreted: run tests/torch/device alone", allow_module_level=True)
CUDA = torch.device("cuda", torch.cuda.current_device())
if why_not(CUDA) is not None:
    pytest.skip(why_not(CUDA), allow_module_level=True)


def solve(weights, pattern, *, magnitude=True):
    from masksolve.torch.gpu.launch import launch

    pattern = ms.Pattern.parse(pattern)
    return launch(weights, pattern, magnitude=magnitude, axes=(-2, -1)).check()


@pytest.mark.parametrize("at_most", ["", ",at-most"])
@pytest.mark.parametrize("pattern", ["1:2", "2:4", "3:5", "4:8", "8:16", "10:20", "16:32", "32:64"])
@pytest.mark.parametrize("family", FAMILIES)
def test_as_on_the_cpu(family, pattern, at_most):
    pattern += at_most
    weights = matrices(family, (2, 133, 260))
    for magnitude in (True, False):
        score = np.abs if magnitude else None
        found = solve(weights.to(CUDA), pattern, magnitude=magnitude)
        mask = found.mask.cpu().numpy()
        ms.check_mask(mask, pattern)
        best = ms.solve(weights.numpy(), pattern, score=score)
        assert found.objective == pytest.approx(best.objective, rel=1e-12, abs=1e-300)
        judged = ms.certify(weights.numpy(), mask, pattern, score=score)
        assert judged.status is ms.Status.OPTIMAL


@pytest.mark.parametrize("dtype", [torch.float64, *NARROW_FLOATS, torch.int8])
@pytest.mark.parametrize("pattern", ["2:4", "8:16", "2:4,plain"])
def test_dtypes(dtype, pattern):
    weights = (3 * matrices("normal", (1, 256, 512))[0]).to(dtype)
    found = mst.solve_mask(weights.to(CUDA), pattern)
    assert found.device == CUDA
    wide = weights.to(torch.float64).abs()
    expected = (wide * mst.solve_mask(weights, pattern)).sum().item()
    assert (wide * found.cpu()).sum().item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", ["greedy", "two_approx", "entropic"])
def test_other_methods(method):
    weights = matrices("normal", (1, 256, 256))[0]
    mask = mst.solve_mask(weights.to(CUDA), "4:8", method=method).cpu()
    ms.check_mask(mask.numpy(), "4:8,at-most")
    other = mst.solve_mask(weights, "4:8", method=method)
    kept, expected = ((weights.abs() * x).sum().item() for x in (mask, other))
    assert kept == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("turn", ["transposed", "sliced", "misaligned"])
def test_views(turn):
    held = matrices("normal", (1, 520, 520))[0].to(CUDA)
    view = {
        "transposed": held.t(),
        "sliced": held[::2, 1::2],
        "misaligned": held.view(-1)[1 : 1 + 512 * 512].view(512, 512),
    }[turn]
    assert torch.equal(mst.solve_mask(view, "8:16"), mst.solve_mask(view.clone(), "8:16"))


def test_the_first_bad_score_is_named():
    weights = matrices("normal", (1, 128, 128))[0].to(CUDA)
    weights[77, 5] = weights[90, 1] = np.nan
    with pytest.raises(InvalidScore, match=r"^tensor\[77, 5\] is nan"):
        mst.solve_mask(weights, "4:8")


def test_the_current_stream_is_respected():
    weights = torch.zeros(2048, 2048, device=CUDA)
    expected = matrices("normal", (1, 2048, 2048))[0].to(CUDA)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**8)
        weights.copy_(expected)
        found = mst.solve_mask(weights, "4:8")
    stream.synchronize()
    assert torch.equal(found, mst.solve_mask(expected, "4:8"))


def test_a_cuda_graph():
    weights = matrices("normal", (1, 512, 512))[0].to(CUDA)
    mst.solve_mask(weights, "8:16")  # compiles
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        mask = mst.solve_mask(weights, "8:16")
    for seed in range(3):
        weights.copy_(matrices("grid" if seed else "normal", (1, 512, 512), seed=seed)[0])
        graph.replay()
        torch.cuda.synchronize()
        best = ms.solve(weights.cpu().numpy(), "8:16").objective
        assert (weights.abs() * mask).double().sum().item() == pytest.approx(best, rel=1e-6)


def test_compiled():
    def masked(weight):
        return weight * mst.solve_mask(weight, "2:4")

    weight = matrices("normal", (1, 256, 256))[0].to(CUDA)
    assert torch.equal(torch.compile(masked)(weight), masked(weight))


@pytest.mark.parametrize("pattern", ["2:4", "8:16"])
def test_training(pattern):
    def train(device):
        torch.manual_seed(0)
        model = torch.nn.Linear(128, 128).to(device)
        handle = mst.sparsify(model, pattern, warm_start=True)
        for _ in range(4):
            with torch.no_grad():
                handle.layers[0].original.add_(0.01 * torch.randn(128, 128).to(device))
            handle.steps += 1
            handle.refresh()
        return handle

    here, there = train("cpu"), train(CUDA)
    assert torch.equal(here.masks["weight"], there.masks["weight"].cpu())
    assert here.history.sad() == there.history.sad()


def test_a_device_without_room():
    weights = torch.zeros(4096, 4096, device=CUDA)
    torch.cuda.empty_cache()
    held = torch.cuda.memory_allocated(CUDA) / torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction(held + 1e-5, CUDA)
    try:
        with pytest.raises(ms.InvalidInput, match=r"has no room left to solve tensor of shape"):
            mst.solve_mask(weights, "4:8")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, CUDA)
