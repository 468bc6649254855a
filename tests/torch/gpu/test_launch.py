"""solve_mask's way to the kernels, with the interpreter in the device's place."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidScore
from masksolve.torch import devices, results
from masksolve.torch.gpu import launch
from tests.torch.gpu.tiles import matrices


def on_device(tensor, pattern, *, score=torch.abs, **options):
    """Solve a tensor as if it lay on a CUDA device."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "serves", lambda tensor: True)
        return mst.solve_mask(tensor, pattern, score=score, **options)


@pytest.mark.parametrize("pattern", ["2:4", "2:4,at-most", "2:4,plain", "1:4,plain"])
@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        torch.float64,
        torch.bfloat16,
        torch.float16,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.int8,
        torch.int64,
    ],
)
def test_the_same_score_as_on_the_cpu(dtype, pattern):
    tensor = (3 * matrices("normal", (1, 9, 12))[0]).to(dtype)
    found, expected = on_device(tensor, pattern), mst.solve_mask(tensor, pattern)
    assert found.dtype == torch.bool
    wide = tensor.to(torch.float64).abs()
    assert (wide * found).sum() == (wide * expected).sum()
    ms.check_mask(found.numpy(), pattern)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((8, 12, 3, 3), mst.Layout()),
        ((12, 8), mst.Layout((1, 0))),
        ((24, 8), mst.Layout(parts=3)),
        ((8, 4, 2), mst.Layout((0, 1), parts=2)),
    ],
)
def test_layouts(shape, layout):
    tensor = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
    found = on_device(tensor, "2:4", layout=layout)
    assert torch.equal(found, mst.solve_mask(tensor, "2:4", layout=layout))
    assert found.shape == tensor.shape


@pytest.mark.parametrize("method", ["greedy", "two_approx", "entropic"])
def test_other_methods(method):
    tensor = matrices("normal", (1, 8, 16))[0]
    found = on_device(tensor, "4:8", method=method)
    ms.check_mask(found.numpy(), "4:8,at-most")
    with pytest.raises(ms.InvalidInput, match="option"):
        on_device(tensor, "4:8", method=method, options={"nonsense": 1})


def test_the_rest_is_for_the_cpu():
    tensor = matrices("normal", (1, 8, 8))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "serves", lambda tensor: True)
        for method, pattern in (("min_cost_flow", "2:4"), ("exact", "4:4"), ("bi_nm", "2:4")):
            assert devices.solver_of(tensor, ms.Pattern.parse(pattern), method) == "engine"
    assert devices.solver_of(tensor, ms.Pattern.parse("2:4"), "exact") == "engine"
    assert torch.equal(on_device(tensor, "4:4"), torch.ones(8, 8, dtype=torch.bool))


def test_solve_mask_comes_here(monkeypatch):
    tensor = matrices("normal", (1, 8, 16))[0]
    here = mst.solve_mask(tensor, "4:8"), mst.solve_mask(tensor, "4:8", score=None)
    monkeypatch.setattr(devices, "as_array", None)
    assert torch.equal(on_device(tensor, "4:8"), here[0])
    assert torch.equal(on_device(tensor, "4:8", score=lambda w: w * 2), here[1])


@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain"])
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_the_first_bad_score_is_named(bad, pattern):
    tensor = torch.zeros(2, 9, 12)
    tensor[1, 8, 3] = tensor[1, 8, 11] = bad
    layout = mst.Layout((1, 2))
    with pytest.raises(InvalidScore, match=rf"^tensor\[1, 8, 3\] is {bad}: scores must be"):
        on_device(tensor, pattern, layout=layout)


def test_bad_arguments_are_refused_before_anything_runs():
    tensor = torch.zeros(8, 8)
    with pytest.raises(ms.UnknownMethod, match="unknown method 'exakt'"):
        on_device(tensor, "2:4", method="exakt")
    with pytest.raises(ms.InvalidInput, match="at least 2 dimensions"):
        on_device(torch.zeros(8), "2:4")
    with pytest.raises(ms.InvalidInput, match="complex"):
        on_device(torch.zeros(8, 8, dtype=torch.complex64), "2:4")
    start = torch.zeros(4, 4, dtype=torch.float64, device="meta")
    with pytest.raises(ms.InvalidInput, match=r"meta: expected one device"):
        launch.launch(tensor, ms.Pattern.parse("2:4"), magnitude=True, axes=(0, 1), start=start)


@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain"])
def test_no_room(pattern, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")

    monkeypatch.setattr("masksolve.torch.gpu.solver.run_rounds", full)
    monkeypatch.setattr(launch, "solve_batched", full)
    with pytest.raises(ms.InvalidInput, match=r"^cpu has no room left to solve tensor of shape"):
        on_device(torch.ones(8, 8), pattern)


def test_what_is_not_proven_is_solved_again(monkeypatch):
    """Of which no tile is known; but no wrong mask in silence."""
    tensor = matrices("grid", (1, 8, 8))[0]
    monkeypatch.setattr(
        "masksolve.torch.gpu.solver.finish", lambda chunk, *queue: chunk.flags.__setitem__(1, 3)
    )
    with pytest.warns(UserWarning, match=r"^\d+ tiles could not be proven on cpu: the CPU"):
        found = on_device(tensor, "4:8")
    assert torch.equal(found, mst.solve_mask(tensor, "4:8"))


def test_verdicts():
    tensor = matrices("normal", (1, 8, 8))[0]
    found = launch.launch(tensor, ms.Pattern.parse("4:8"), magnitude=True, axes=(0, 1))
    best = ms.solve(tensor.numpy(), "4:8")
    assert (found.objective, found.gap) == (pytest.approx(best.objective), 0.0)
    found.require()
    tensor[0, 0] = np.nan
    bad = launch.launch(tensor, ms.Pattern.parse("4:8"), magnitude=True, axes=(0, 1))
    with pytest.raises(RuntimeError, match="not finite"):
        bad.require()
    with pytest.raises(InvalidScore):
        _ = bad.objective


def test_results_hold_no_scores_once_they_are_checked():
    scores = matrices("normal", (1, 8, 8))[0]
    found = launch.launch(scores, ms.Pattern.parse("4:8"), magnitude=True, axes=(0, 1))
    held = weakref.ref(scores)
    found.check()
    del scores
    gc.collect()
    assert held() is None
    assert pickle.loads(pickle.dumps(found)).objective == found.objective


@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint64])
def test_integers_that_are_not_exact_are_refused(dtype, pattern):
    tensor = torch.arange(64).reshape(8, 8)
    tensor[3, 4] = 2**53 + 1
    with pytest.raises(ms.InvalidInput, match=r"^tensor holds 9007199254740993: integers"):
        on_device(tensor.to(dtype), pattern)
    tensor[3, 4] = 2**53
    assert on_device(tensor.to(dtype), pattern)[3, 4]


def test_dtypes_without_numbers_of_their_own():
    packed = torch.zeros(8, 8, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    with pytest.raises(ms.InvalidInput, match=r"^tensor has dtype .*, which is not supported"):
        on_device(packed, "2:4")


@pytest.mark.parametrize("method", ["exact", "greedy"])
def test_masks_are_where_the_tensor_is(method, monkeypatch):
    monkeypatch.setattr(devices, "serves", lambda tensor: True)
    tensor = torch.zeros(8, 8, device="meta")
    scores = matrices("normal", (1, 8, 8))[0]
    found = mst.solve_mask(tensor, "2:4", method=method, score=lambda tensor: scores)
    assert found.device == tensor.device


def test_changed_meanwhile():
    assert "changed while it was read" in str(results.first_bad(torch.zeros(2, 2), "tensor"))
