"""Masks of tensors: of every dtype, read where they lie, the same as the solver's."""

import ml_dtypes  # noqa: F401 - which tells NumPy of bfloat16 and others
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.arrays import as_array
from tests import naive, strategies
from tests.refusals import says

NAMES = ["float64", "float32", "float16", "bfloat16"]
NAMES += ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]
FLOATS = {getattr(torch, name): np.dtype(name) for name in NAMES}
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "int64", "bool"]
RNG = np.random.default_rng(0)


def normal(*shape, dtype=torch.float32):
    return torch.from_numpy(RNG.normal(size=shape)).to(dtype)


def agrees(solver, scores, pattern):
    """A mask of a matrix of scores: valid, and tile by tile as good as the best there is."""
    mask = solver(torch.from_numpy(scores), pattern)
    assert mask.dtype == torch.bool
    ms.check_mask(mask.numpy(), pattern)
    best = naive.best_by_tile(scores, pattern.n, pattern.m, pattern.at_most)
    assert abs(scores[mask.numpy()].sum() - best) <= 1e-12 * np.abs(scores).sum()


@settings(max_examples=60)
@given(strategies.matrices(), strategies.patterns(max_m=4, min_m=2))
def test_best_of_all_masks(scores, pattern):
    agrees(lambda t, p: mst.solve_mask(t, p, score=None, threads=1), scores, pattern)


def test_planted_faults_are_caught():
    scores, pattern = RNG.normal(size=(8, 8)), ms.Pattern(2, 4)
    agrees(lambda t, p: mst.solve_mask(t, p, score=None), scores, pattern)
    for wrong in (
        lambda t, p: mst.solve_mask(t, p),  # magnitudes
        lambda t, p: mst.solve_mask(-t, p, score=None),
        lambda t, p: mst.solve_mask(t.float().round(), p, score=None),
        lambda t, p: mst.solve_mask(t, "2:4,plain", score=None),
        lambda t, p: mst.solve_mask(t, p, score=None).int(),
    ):
        with pytest.raises((AssertionError, ms.MaskViolation)):
            agrees(wrong, scores, pattern)


UNREAD = {
    "requires grad": normal(8, 8).requires_grad_(),
    "a parameter": torch.nn.Parameter(normal(8, 8)),
    "bfloat16": normal(8, 8).bfloat16(),
    "float8": normal(8, 8).to(torch.float8_e4m3fn),
    "elsewhere": torch.empty(8, 8, device="meta"),  # as on a GPU: no memory here
    "sparse": torch.eye(8).to_sparse(),
}
ARRAY, RESULT = np.ones((8, 8)), ms.solve(np.ones((8, 8)), "2:4", threads=1)
CALLS = {
    "solve": lambda t, _: ms.solve(t, "2:4"),
    "certify": lambda t, _: ms.certify(t, RESULT.mask, "2:4"),
    "certify mask": lambda t, _: ms.certify(ARRAY, t, "2:4"),
    "repair": lambda t, _: ms.repair(t, RESULT.mask, "2:4"),
    "repair mask": lambda t, _: ms.repair(ARRAY, t, "2:4"),
    "check_mask mask": lambda t, _: ms.check_mask(t, "2:4"),
    "is_valid mask": lambda t, _: ms.is_valid(t, "2:4"),
    "plan": lambda t, _: ms.plan({"w": t}, ["2:4"]),
    "save_masks": lambda t, f: ms.save_masks(f / "m", {"w": RESULT}, {"w": t}),
}


@pytest.mark.parametrize("tensor", UNREAD)
@pytest.mark.parametrize("call", CALLS)
def test_numpys_functions_say_where_tensors_are_taken(call, tensor, tmp_path):
    """In one sentence, whatever of the tensor it is that NumPy cannot read."""
    with pytest.raises(InvalidInput) as caught:
        CALLS[call](UNREAD[tensor], tmp_path)
    said = str(caught.value)
    assert said.count(". ") == said.count("\n") == 0
    name = "mask" if call.endswith("mask") else "weights"
    assert f"{name} is a torch tensor that NumPy cannot read (" in said
    assert "): use masksolve.torch.solve_mask, or pass tensor.detach().cpu().float()" in said
    assert not list(tmp_path.iterdir())


def test_numpys_functions_read_the_tensors_that_numpy_reads(tmp_path):
    for dtype in (torch.float32, torch.float16, torch.float64, torch.int8):
        tensor = (normal(8, 8) * 9).to(dtype)
        result = ms.solve(tensor, "2:4")
        np.testing.assert_array_equal(result.mask, ms.solve(tensor.numpy(), "2:4").mask)
        mask = torch.from_numpy(result.mask)
        assert ms.is_valid(mask, "2:4")
        assert ms.certify(tensor, mask, "2:4").status is ms.Status.OPTIMAL
        assert ms.repair(tensor, mask, "2:4").objective == result.objective
        assert ms.plan({"w": tensor}, ["2:4"]).rows[0].kept == result.objective
        ms.save_masks(tmp_path / "masks", {"w": result}, {"w": tensor})


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_memory_is_shared(dtype):
    tensor = normal(6, 8).to(dtype)
    for view in (tensor, tensor.T, tensor[::2, 1::3], tensor[None].expand(5, 6, 8)):
        array = as_array(view)
        assert array.dtype == FLOATS[dtype]
        assert array.__array_interface__["data"][0] == view.data_ptr()
        np.testing.assert_array_equal(array.astype(float), view.double().numpy())
    array = as_array(tensor)
    tensor[2, 3] = 0.5
    assert array[2, 3] == 0.5


@pytest.mark.parametrize("dtype", [*NAMES, *INTEGERS])
def test_dtypes(dtype):
    tensor = (4 * normal(16, 24)).abs().to(getattr(torch, dtype))
    mask = mst.solve_mask(tensor, "4:8")
    held = tensor.double().numpy()
    assert (mask.dtype, mask.shape) == (torch.bool, tensor.shape)
    ms.check_mask(mask.numpy(), "4:8")
    assert held[mask.numpy()].sum() == pytest.approx(ms.solve(held, "4:8").objective)


VIEWS = {
    "transposed": lambda t: t.T,
    "strided": lambda t: t[::2, 8:],
    "reversed": lambda t: t.flip(0, 1),
    "expanded": lambda t: t[:1].expand(16, -1),
    "channels last": lambda t: t.reshape(8, 16, 2, 2).to(memory_format=torch.channels_last),
    "of a parameter": lambda t: torch.nn.Parameter(t)[4:],
    "batch last": lambda t: t.reshape(16, 16, 2),
    "negated": lambda t: torch.complex(t, t).conj().imag,
}


@pytest.mark.parametrize("view", VIEWS)
def test_views(view):
    tensor = VIEWS[view](normal(16, 32))
    before = tensor.detach().clone()
    mask = mst.solve_mask(tensor, "4:8")
    expected = ms.solve(before.numpy(), "4:8", axes=(0, 1)).mask
    assert np.array_equal(mask.numpy(), expected)
    assert torch.equal(tensor, before)
    assert mask.shape == tensor.shape


def test_gradients_are_left_alone():
    weight = torch.nn.Parameter(normal(8, 8))
    (weight.square().sum()).backward()
    gradient, version = weight.grad.clone(), weight._version
    mask = mst.solve_mask(weight, "4:8")
    assert not mask.requires_grad
    assert weight.requires_grad
    assert weight._version == version
    assert torch.equal(weight.grad, gradient)
    assert mst.solve_mask(2 * weight, "4:8").grad_fn is None
    with torch.inference_mode():
        assert torch.equal(mst.solve_mask(weight * 2, "4:8"), mask)


OPTIONS = {"best_random": {"tries": 3, "seed": 7}}


@pytest.mark.parametrize("method", ms.METHODS)
def test_methods_and_their_options(method):
    tensor = normal(16, 24)
    for options in (None, OPTIONS.get(method)):
        asked = {"method": method, "options": options, "threads": 1}
        mask = mst.solve_mask(tensor, "2:4", **asked)
        assert np.array_equal(mask.numpy(), ms.solve(tensor.numpy(), "2:4", **asked).mask)


@pytest.mark.parametrize("text", ["2:4", "3:4,at-most", "2:4,plain"])
def test_scores(text):
    tensor, norms = normal(16, 24), normal(24).abs()
    wanda = mst.solve_mask(tensor, text, score=lambda t: t.abs() * norms)
    assert np.array_equal(wanda.numpy(), ms.solve((tensor.abs() * norms).numpy(), text).mask)
    signed = mst.solve_mask(tensor, text, score=None)
    assert np.array_equal(signed.numpy(), ms.solve(tensor.numpy(), text, score=None).mask)
    squares = mst.solve_mask(tensor, text, score=torch.square)
    assert np.array_equal(squares.numpy(), ms.solve(tensor.numpy() ** 2, text).mask)


def test_layouts():
    experts = normal(4, 16, 24)
    mask = mst.solve_mask(experts, "4:8", layout=mst.Layout((1, 2)))
    for expert, part in zip(experts, mask, strict=True):
        assert torch.equal(part, mst.solve_mask(expert, "4:8"))
    grouped = normal(24, 8, 3, 3)
    mask = mst.solve_mask(grouped, "4:8", layout=mst.Layout(parts=3))
    for group, part in zip(grouped.split(8), mask.split(8), strict=True):
        assert torch.equal(part, mst.solve_mask(group, "4:8"))


@pytest.mark.filterwarnings("ignore:matrices along axes")
@settings(max_examples=30)
@given(st.integers(1, 3), st.permutations(range(3)), st.data())
def test_any_layout_is_its_matrices_one_by_one(parts, order, data):
    shape = [data.draw(st.integers(1, 9)) for _ in range(3)]
    shape[0] *= parts
    tensor = normal(*shape)
    layout = mst.Layout(tuple(order[:2]), parts)
    mask = mst.solve_mask(tensor, "1:4", layout=layout, threads=1)
    rest = order[2]
    for weights, masks in zip(tensor.chunk(parts), mask.chunk(parts), strict=True):
        for k in range(weights.shape[rest]):
            one, its = (t.select(rest, k) for t in (weights, masks))
            if order[0] > order[1]:
                one, its = one.T, its.T
            assert torch.equal(its, mst.solve_mask(one, "1:4", threads=1))


META = torch.empty(4, 4, device="meta")
SPARSE = torch.eye(4).to_sparse()
E8M0 = torch.ones(4, 4, dtype=torch.float8_e8m0fnu)
REAL = "expected a dense tensor of real numbers"


def quantised():
    return torch.quantize_per_tensor(torch.ones(4, 4), 1.0, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore:.*quantiz")
@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        ([[1.0]], "tensor must be a tensor, got list"),
        (np.ones((4, 4)), "tensor must be a tensor, got ndarray"),
        (torch.ones(4), "tensor must have at least 2 dimensions, got 1"),
        (META, "tensor is on the meta device, without data: load weights first"),
        (SPARSE, f"tensor is torch.sparse_coo: {REAL}"),
        (torch.ones(4, 4) * 1j, f"tensor is complex: {REAL}"),
        (quantised, f"tensor is quantised: {REAL}"),
        (E8M0, "tensor has dtype torch.float8_e8m0fnu, which is not supported"),
        (torch.full((4, 4), torch.inf), "weights[0, 0] is inf: scores must be finite"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tensors_that_are_refused(tensor, sentence):
    with says(sentence):
        mst.solve_mask(tensor() if callable(tensor) else tensor, "2:4")


def halved(tensor):
    return tensor[:2]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"score": "magnitude"}, "score must be a function or None, got 'magnitude'"),
        ({"score": lambda t: 3}, "score(tensor) must be a tensor, got int"),
        ({"score": halved}, "score(tensor) has shape (2, 8): expected that of tensor, (4, 8)"),
        ({"layout": (0, 1)}, "layout must be a Layout or None, got (0, 1)"),
        ({"layout": mst.Layout(parts=3)}, "an axis of 4 does not fall into 3 parts"),
        ({"layout": mst.Layout((0, 2))}, "axis 2 is out of range for weights with 2 dimensions"),
        ({"threads": 0}, "threads must be a positive integer or None, got 0"),
        ({"options": {"luck": 1}}, "method 'exact' has no option 'luck': it takes none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arguments_that_are_refused(options, sentence):
    with says(sentence):
        mst.solve_mask(torch.ones(4, 8), "2:4", **options)
    with pytest.raises(InvalidInput):
        mst.solve_mask([[1.0]], "2:4", **options)
