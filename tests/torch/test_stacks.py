"""Experts that stand in one tensor get masks along the axes of their product."""

import copy
import pickle

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.torch.masked import Masked
from tests.refusals import says
from tests.torch.products import keeps

pytestmark = pytest.mark.usefixtures("double")


class Experts(nn.Module):
    """As transformers has them: a loop over experts, each read out of the stack."""

    def __init__(self, transposed=False, count=4):
        super().__init__()
        sides = (8, 16) if transposed else (16, 8)
        self.is_transposed = transposed
        self.up_proj = nn.Parameter(torch.randn(count, *sides))
        self.up_proj_bias = nn.Parameter(torch.randn(count, 16))

    def forward(self, x):
        found = []
        for k, rows in enumerate(x):
            weight = self.up_proj[k].T if self.is_transposed else self.up_proj[k]
            found.append(nn.functional.linear(rows, weight, self.up_proj_bias[k]))
        return torch.stack(found)


class Moe(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.router, self.experts = nn.Linear(8, 8), Experts(**options)

    def forward(self, x):
        return self.experts(self.router(x))


def matrices(model):
    weight = model.experts.up_proj
    return weight.mT if model.experts.is_transposed else weight


@pytest.mark.parametrize("text", ["4:8", "2:4,plain"])
@pytest.mark.parametrize("transposed", [False, True])
def test_along_the_axes_of_the_product(transposed, text):
    """Whatever the pattern, each expert's inputs are n of m; and outputs, if transposable."""
    model = Moe(transposed=transposed)
    handle = mst.sparsify(model, text)
    assert list(handle.masks) == ["experts.up_proj"]
    assert handle.skipped == [
        ("router.weight", "it sends tokens to experts"),
        ("experts.up_proj_bias", "it is a bias"),
    ]
    n, m = int(text[0]), int(text[2])
    for _ in range(2):
        keeps(list(matrices(model).mT), n, m)
        if "plain" not in text:
            keeps(list(matrices(model)), n, m)
        model(torch.randn(4, 5, 8)).square().sum().backward()
        with torch.no_grad():
            handle.layers[0].original.add_(torch.randn_like(handle.layers[0].original))
        handle.step()
    masks = handle.finalize()
    assert torch.equal(model.experts.up_proj != 0, masks["experts.up_proj"])
    assert type(model.experts) is Experts


@pytest.mark.parametrize(
    "through", [lambda m: m, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
@pytest.mark.parametrize("estimator", ["ste", "sr_ste", "none"])
def test_a_stack_is_masked_once_a_call(monkeypatch, through, estimator):
    """Not once for each expert; copies do the same, gradients are those of a plain product."""
    model = Moe(count=6)
    mst.sparsify(model, "4:8", estimator=estimator)
    model = through(model)
    calls = []
    forward = Masked.forward
    monkeypatch.setattr(Masked, "forward", lambda self, w: calls.append(1) or forward(self, w))
    x = torch.randn(6, 3, 8)
    for _ in range(2):
        calls.clear()
        model.zero_grad()
        model(x).square().sum().backward()
        assert len(calls) == 1
    plain, masked = copy.deepcopy(model), model.experts.parametrizations.up_proj
    gradient = masked.original.grad
    mst.Handle(plain).finalize()
    plain.zero_grad()
    plain(x).square().sum().backward()
    expected = plain.experts.up_proj.grad
    if estimator == "none":
        expected = expected * masked[0].mask
    if estimator == "sr_ste":
        expected = expected + masked[0].decay * masked.original * ~masked[0].mask
    torch.testing.assert_close(gradient, expected.detach())


@pytest.mark.filterwarnings("ignore")
def test_traced_and_compiled_they_give_the_same():
    model = Moe()
    mst.sparsify(model, "4:8")
    x = torch.randn(4, 2, 8)
    expected = model(x)
    traced = torch.jit.trace(model, x, check_trace=False)
    torch.testing.assert_close(traced(x), expected)
    compiled = torch.compile(model, backend="eager")
    torch.testing.assert_close(compiled(x), expected)


class OneOfOnesOwn(nn.Module):
    """Which way round its experts stand, nothing tells."""

    def __init__(self):
        super().__init__()
        self.layer, self.experts = nn.Linear(8, 8), nn.Parameter(torch.randn(4, 8, 16))
        self.table = nn.Parameter(torch.randn(8, 8))
        self.bilinear = nn.Bilinear(8, 8, 8)


def unknown(name, kind="OneOfOnesOwn"):
    return (
        f"no layout is known for the {name} of {kind}: tell it by masksolve.torch.register_layout"
    )


def test_what_is_not_known_is_named():
    handle = mst.sparsify(OneOfOnesOwn(), "4:8")
    assert list(handle.masks) == ["layer.weight"]
    assert dict(handle.skipped) == {
        "experts": unknown("experts"),
        "table": unknown("table"),
        "bilinear.weight": unknown("weight", "Bilinear"),
    }
    assert "dense: table, no layout is known" in str(handle.report())


@pytest.fixture
def layouts(monkeypatch):
    """Whatever is registered is forgotten."""
    from masksolve.torch import layouts

    monkeypatch.setattr(layouts, "_LAYOUTS", dict(layouts._LAYOUTS))


@pytest.mark.usefixtures("layouts")
@pytest.mark.parametrize("axes", [(1, 2), (2, 1)])
def test_a_layout_that_is_told(axes):
    mst.register_layout(OneOfOnesOwn, lambda module: {"experts": mst.Layout(axes)})
    model = OneOfOnesOwn()
    handle = mst.sparsify(model, "2:4,plain")
    assert list(handle.masks) == ["experts", "layer.weight"]
    inputs_first = model.experts.mT if axes == (1, 2) else model.experts
    keeps(list(inputs_first), 2, 4)


@pytest.mark.usefixtures("layouts")
@pytest.mark.parametrize("select", [None, OneOfOnesOwn, ""])
def test_a_layout_without_axes_would_run_across_experts(select):
    mst.register_layout(OneOfOnesOwn, lambda module: {"experts": mst.Layout()})
    with says(
        "experts is 4 x 8 x 16, and Layout() takes its first two axes: if it stacks experts, that "
        "is across them. Say Layout((1, 2)) for outputs x inputs, or Layout((2, 1)) for inputs x "
        "outputs; a convolution of your own needs a kernel_size"
    ):
        mst.sparsify(OneOfOnesOwn(), "2:4", select=select)


@pytest.mark.usefixtures("layouts")
def test_a_layout_of_other_axes_than_there_are():
    mst.register_layout(OneOfOnesOwn, lambda module: {"table": mst.Layout((2, 1))})
    with says("table is 8 x 8: it has no axes 2 and 1, as its layout says"):
        mst.sparsify(OneOfOnesOwn(), "2:4")


@pytest.mark.parametrize("solve", [mst.solve_mask, lambda t, p: mst.stored_mask(t != 0, t, p)])
def test_a_tensor_alone_that_may_be_a_stack(solve):
    sentence = (
        "4 x 8 x 16 may be a stack of matrices: say Layout((1, 2)) if these are outputs x inputs, "
        "Layout((2, 1)) if inputs x outputs, and Layout() for a convolution"
    )
    with says(sentence):
        solve(torch.randn(4, 8, 16), "2:4")
    assert mst.solve_mask(torch.randn(8, 8, 3), "2:4").shape == (8, 8, 3)


def test_masks_of_prune_for_experts_are_read_by_their_name():
    mask = mst.solve_mask(torch.randn(4, 16, 8), "4:8", layout=mst.Layout((1, 2)))
    name = "layers.0.mlp.experts.up_proj"
    state = {f"{name}_orig": torch.randn(4, 16, 8), f"{name}_mask": mask.double()}
    assert mst.masks_of(state, "4:8")[name].axes == (1, 2)
