"""Masks lie along the axes that the products of a layer really sum over."""

from itertools import product
from math import prod

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from tests.refusals import says
from tests.torch.products import Overhear, forward_operands, gradient_operands, keeps, overhear

CONVOLUTIONS = {
    "1d": ("Conv1d", (16, 8, 3), {}, 4),
    "1d strided": ("Conv1d", (8, 16, 3), {"stride": 2, "padding": 1}, 5),
    "1d dilated": ("Conv1d", (8, 8, 2), {"dilation": 2}, 4),
    "1d grouped": ("Conv1d", (16, 32, 2), {"groups": 2}, 3),
    "2d": ("Conv2d", (8, 16, (3, 2)), {"padding": 1}, 3),
    "2d pointwise": ("Conv2d", (16, 8, 1), {}, 2),
    "2d strided": ("Conv2d", (8, 8, 2), {"stride": (2, 1)}, 3),
    "2d dilated": ("Conv2d", (8, 8, 2), {"dilation": (1, 2)}, 4),
    "2d grouped": ("Conv2d", (24, 24, 2), {"groups": 3, "stride": 2}, 4),
    "3d": ("Conv3d", (8, 16, 2), {}, 2),
    "3d strided": ("Conv3d", (8, 8, (2, 1, 2)), {"stride": 2}, 3),
    "3d dilated": ("Conv3d", (8, 8, (2, 2, 1)), {"dilation": (2, 1, 1)}, 3),
    "3d grouped": ("Conv3d", (16, 16, 2), {"groups": 2}, 2),
    "1d transposed": ("ConvTranspose1d", (16, 8, 3), {}, 3),
    "1d transposed, strided": ("ConvTranspose1d", (8, 16, 3), {"stride": 2, "padding": 1}, 4),
    "1d transposed, dilated": ("ConvTranspose1d", (8, 16, 2), {"dilation": 2}, 3),
    "1d transposed, grouped": ("ConvTranspose1d", (16, 32, 2), {"groups": 2}, 3),
    "2d transposed": ("ConvTranspose2d", (8, 16, (3, 2)), {}, 2),
    "2d transposed, strided": ("ConvTranspose2d", (8, 16, 2), {"stride": 2}, 2),
    "2d transposed, grouped": ("ConvTranspose2d", (24, 48, 2), {"groups": 3}, 2),
    "3d transposed": ("ConvTranspose3d", (16, 8, 2), {}, 2),
    "3d transposed, grouped": ("ConvTranspose3d", (16, 16, (1, 2, 1)), {"groups": 2}, 2),
}
CELLS = {"RNNCell": 1, "LSTMCell": 4, "GRUCell": 3}

pytestmark = pytest.mark.usefixtures("double")


def convolution(case):
    kind, sizes, options, width = CONVOLUTIONS[case]
    layer = getattr(nn, kind)(*sizes, **options)
    size = (width,) * int(kind[-2])
    return layer, (sizes[0], size, options.get("groups", 1))


def overhear_cell(cell):
    """The products of a cell; the state of an LSTM's is two tensors, here the same."""
    state = (lambda h: (h, h)) if isinstance(cell, nn.LSTMCell) else (lambda h: h)
    x, h = torch.randn(3, cell.input_size), torch.randn(3, cell.hidden_size)
    return overhear(cell, x, h, call=lambda x, h: cell(x, state(h)))


@pytest.mark.parametrize("text", ["2:4", "4:8"])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case, text):
    layer, probe = convolution(case)
    mst.sparsify(layer, text)
    n, m = map(int, text.split(":"))
    forward, gradient = forward_operands(layer, *probe), gradient_operands(layer, *probe)
    keeps(forward, n, m)
    keeps(gradient, n, m)
    for operands in (forward, gradient):  # each position of the kernel was seen
        assert len(operands.unique(dim=0)) == prod(layer.kernel_size) * layer.groups


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_plain(case):
    """A plain mask runs along the inputs, and along nothing else."""
    layer, probe = convolution(case)
    mst.sparsify(layer, "2:4,plain")
    keeps(forward_operands(layer, *probe), 2, 4)
    with pytest.raises(AssertionError):
        keeps(gradient_operands(layer, *probe), 2, 4)


@pytest.mark.parametrize("sides", [(8, 16), (24, 8), (13, 11)])
def test_linear(sides):
    layer = nn.Linear(*sides)
    mst.sparsify(layer, "4:8", select=nn.Linear)
    keeps(forward_operands(layer, sides[0]), 4, 8)
    keeps(gradient_operands(layer, sides[0]), 4, 8)
    forward, gradient = overhear(layer, torch.randn(2, 3, sides[0]))
    assert [x.shape for x in forward + gradient] == [sides, sides[::-1]]
    keeps(forward + gradient, 4, 8)


def test_input_first_linear():
    """GPT-2's Conv1D holds its weight the other way round."""
    conv1d = pytest.importorskip("transformers.pytorch_utils").Conv1D
    for text, both in (("2:4", True), ("2:4,plain", False)):
        layer = conv1d(8, 16)
        mst.sparsify(layer, text)
        forward, gradient = overhear(layer, torch.randn(5, 16))
        keeps(forward_operands(layer, 16), 2, 4)
        keeps(forward, 2, 4)
        if both:
            keeps(gradient, 2, 4)
            continue
        with pytest.raises(AssertionError):
            keeps(gradient, 2, 4)


@pytest.mark.parametrize(
    ("others", "same"), [({}, True), ({}, False), ({"kdim": 8, "vdim": 24}, False)]
)
@pytest.mark.parametrize("training", [True, False])
def test_attention(others, same, training):
    """Queries, keys and values: one product of all, or one each; then the output's."""
    layer = nn.MultiheadAttention(16, 2, **others).train(training)
    handle = mst.sparsify(layer, "4:8")
    assert len(handle.masks) == (4 if others else 2)
    x = [torch.randn(5, 1, others.get(width, 16)) for width in ("qdim", "kdim", "vdim")]
    if same:
        forward, gradient = overhear(layer, x[0], call=lambda x: layer(x, x, x))
    else:
        forward, gradient = overhear(layer, *x)
    products = 2 if same else 4
    assert len(forward) == len(gradient) == products
    keeps(forward + gradient, 4, 8)


def test_attention_plain():
    layer = nn.MultiheadAttention(16, 2)
    mst.sparsify(layer, "2:4,plain")
    forward, gradient = overhear(layer, torch.randn(5, 1, 16), call=lambda x: layer(x, x, x))
    keeps(forward, 2, 4)
    for operand in gradient:
        with pytest.raises(AssertionError):
            keeps([operand], 2, 4)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_attention_on_the_fast_path():
    """Without gradients torch takes fused kernels: they get masked weights too."""
    x = torch.randn(2, 3, 16)
    for module, operator in (
        (nn.MultiheadAttention(16, 2, batch_first=True), "aten._native_multi_head_attention"),
        (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), "aten._transformer_encoder"),
    ):
        attends = isinstance(module, nn.MultiheadAttention)
        layer = (lambda x, m=module: m(x, x, x)[0]) if attends else module
        handle = mst.sparsify(module.eval(), "4:8")
        slow = layer(x)
        with torch.no_grad(), Overhear() as heard:
            fast = layer(x)
        (name,) = heard.fused
        assert name.startswith(operator)
        weights = [a for a in heard.fused[name] if a.ndim == 2]
        assert len(weights) == len(handle.masks) == (2 if attends else 4)
        keeps(weights, 4, 8)
        keeps([weight.T for weight in weights], 4, 8)
        torch.testing.assert_close(fast, slow.detach())


@pytest.mark.parametrize("kind", CELLS)
def test_cells(kind):
    cell = getattr(nn, kind)(8, 16)
    assert set(mst.sparsify(cell, "4:8").masks) == {"weight_ih", "weight_hh"}
    forward, gradient = overhear_cell(cell)
    assert len(forward) == len(gradient) == 2
    assert {x.shape[1] for x in forward} == {CELLS[kind] * 16}
    keeps(forward + gradient, 4, 8)


def test_cells_stack_their_gates():
    """Gates of 10 make a matrix of 40 rows: the products see no gates."""
    cell = nn.LSTMCell(8, 10)
    handle = mst.sparsify(cell, "4:8")
    assert handle.skipped == [("weight_hh", "its matrix is 40 x 10, no multiple of 8")]
    forward, gradient = overhear_cell(cell)
    keeps([x for x in forward if len(x) == 8], 4, 8)
    keeps([x for x in gradient if x.shape[1] == 8], 4, 8)


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_embeddings(kind):
    """As the product with one-hot rows that a look-up amounts to, and its gradient's."""
    layer = kind(16, 24)
    mst.sparsify(layer, "4:8", select=kind)
    looked_up = layer(
        torch.arange(16).reshape(16, 1) if kind is nn.EmbeddingBag else torch.arange(16)
    )
    keeps([looked_up, looked_up.T], 4, 8)


def swap_axes(weight, layout):
    """What a layer is given if input and output are taken for each other."""
    return mst.Layout(layout.axes[::-1], layout.parts)


def take_the_kernel(weight, layout):
    """What NumPy's usual last two axes are, in a convolution."""
    return mst.Layout((2, 3))


def forget_groups(weight, layout):
    return mst.Layout(layout.axes)


@pytest.mark.filterwarnings("ignore:matrices along axes")
@pytest.mark.parametrize(
    ("fault", "layer", "probe", "text"),
    [
        (swap_axes, ("Conv2d", 8, 16, 2), (8, (2, 2)), "2:4,plain"),
        (swap_axes, ("ConvTranspose2d", 8, 16, 2), (8, (2, 2)), "2:4,plain"),
        (swap_axes, ("Linear", 8, 16), (8,), "2:4,plain"),
        (take_the_kernel, ("Conv2d", 8, 16, 4), (8, (4, 4)), "2:4"),
        (forget_groups, ("ConvTranspose1d", 24, 24, 1, 1, 0, 0, 2), (24, (2,), 2), "4:8"),
    ],
)
def test_planted_faults_are_caught(fault, layer, probe, text):
    layer = getattr(nn, layer[0])(*layer[1:])
    handle = mst.sparsify(layer, text, select=type(layer))
    n, m = int(text[0]), int(text[2])
    keeps(forward_operands(layer, *probe), n, m)
    masked, weight = handle.layers[0].masked, handle.layers[0].weight
    wrong = mst.solve_mask(weight, text, layout=fault(weight, masked.layout))
    masked.write(wrong.numpy())
    with pytest.raises(AssertionError):
        keeps(forward_operands(layer, *probe), n, m)


def test_layout_of():
    assert mst.layout_of(nn.Linear(4, 4)) == mst.Layout()
    assert mst.layout_of(nn.Conv1d(4, 8, 3, groups=2)) == mst.Layout(parts=2)
    assert mst.layout_of(nn.ConvTranspose2d(4, 8, 3)) == mst.Layout(axes=(1, 0))
    attention = nn.MultiheadAttention(8, 2)
    assert mst.layout_of(attention, "in_proj_weight") == mst.Layout(parts=3)
    mst.sparsify(attention, "2:4")  # and of a layer that has masks
    assert mst.layout_of(attention, "in_proj_weight") == mst.Layout(parts=3)


def test_layout_of_what_is_not_known():
    with says("no layout is known for LayerNorm: tell it by masksolve.torch.register_layout"):
        mst.layout_of(nn.LayerNorm(4))
    with says("LSTMCell has no matrix 'weight': it has weight_ih, weight_hh"):
        mst.layout_of(nn.LSTMCell(4, 4))


class Mixture(nn.Module):
    """Four experts in one tensor, each stored input first."""

    def __init__(self):
        super().__init__()
        self.experts = nn.Parameter(torch.randn(4, 8, 16))

    def forward(self, x):
        return x @ self.experts


def test_register_layout(monkeypatch):
    monkeypatch.setattr("masksolve.torch.layouts._LAYOUTS", {})
    with pytest.raises(InvalidInput, match="no module of Mixture gets a mask: it has 1 Mixture"):
        mst.sparsify(Mixture(), "4:8")
    mst.register_layout(Mixture, lambda module: {"experts": mst.Layout((2, 1))})
    layer = Mixture()
    assert set(mst.sparsify(layer, "4:8").masks) == {"experts"}
    for expert in range(4):
        one = lambda x, k=expert: layer(x)[k]  # noqa: E731
        keeps(forward_operands(one, 8), 4, 8)
        keeps(gradient_operands(one, 8), 4, 8)
    with says("register_layout expects a type of module, got 'Mixture'"):
        mst.register_layout("Mixture", lambda module: {})


@pytest.mark.parametrize(
    ("axes", "parts"),
    [((0, 0), 1), ((-2, -1), 1), ((0, 1, 2), 1), (0, 1), ((0, 1), 0), ((0, 1), "3")],
)
def test_layouts_that_are_none(axes, parts):
    words = "a layout takes two axes counted from 0 and a number of parts, got"
    with says(f"{words} {axes!r} and {parts!r}"):
        mst.Layout(axes, parts)


def test_matrices_and_sides():
    for axes, parts in product([(0, 1), (1, 0), (2, 0)], [1, 2, 3]):
        layout = mst.Layout(axes, parts)
        matrices = layout.matrices(torch.zeros(12, 5, 7))
        sides = tuple(matrices.shape[axis] for axis in layout.matrix_axes)
        assert sides == layout.sides((12, 5, 7))
        assert matrices.numel() == 12 * 5 * 7
    with says("an axis of 12 does not fall into 5 parts"):
        mst.Layout(parts=5).matrices(torch.zeros(12, 5))
