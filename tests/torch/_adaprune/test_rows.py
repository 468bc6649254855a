"""Rows times lines are what the layers compute: torch's own forward is the oracle."""

import pytest
import torch
from torch import nn

from masksolve.torch._adaprune.lines import Form
from masksolve.torch._adaprune.sources import bias_of, callers_of, sources_of
from masksolve.torch.layouts import Layout, layouts_of


def applied(module, tensor_name, call, sources=None):
    """Return (parts, rows, outputs): the products of a weight, with its biases."""
    layout = layouts_of(module)[tensor_name]
    weight = getattr(module, tensor_name)
    form = Form(layout, tuple(weight.shape))
    lines = form.lines(weight)
    outputs = [
        source.rows(source.pick(call)) @ lines[source.parts].mT
        for source in sources or sources_of(module, tensor_name)
    ]
    bias = bias_of(module, tensor_name, (layout.parts, form.outputs // layout.parts))
    products = torch.cat(outputs)
    biases = 0 if bias is None else bias.view(bias.parameter).unsqueeze(1)
    return (products + biases).detach()


def joined(products, axis_of_outputs_last):
    """Put parts side by side: the layer's outputs, rows first."""
    return products.movedim(0, 1).flatten(1).reshape(axis_of_outputs_last.shape)


@pytest.mark.parametrize("shape", [(5, 12), (12,), (2, 3, 5, 12)])
def test_linear(shape):
    layer, x = nn.Linear(12, 8), torch.randn(*shape)
    expected = layer(x)
    torch.testing.assert_close(joined(applied(layer, "weight", ((x,), {})), expected), expected)


def test_arguments_by_name():
    layer, x = nn.Linear(12, 8, bias=False), torch.randn(5, 12)
    expected = layer(x)
    found = applied(layer, "weight", ((), {"input": x}))
    torch.testing.assert_close(joined(found, expected), expected)


CONVOLUTIONS = [
    (nn.Conv1d(6, 8, 3), (2, 6, 9)),
    (nn.Conv1d(6, 8, 4, stride=3, dilation=2, padding="valid"), (2, 6, 19)),
    (nn.Conv2d(4, 8, 3, padding=1), (2, 4, 6, 5)),
    (nn.Conv2d(4, 8, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), (2, 4, 7, 6)),
    (nn.Conv2d(8, 12, 3, groups=4, padding="same", bias=False), (2, 8, 5, 5)),
    (nn.Conv2d(4, 6, (4, 2), padding="same"), (2, 4, 6, 5)),
    (nn.Conv2d(8, 12, 3, groups=2, padding=2, padding_mode="reflect"), (3, 8, 5, 5)),
    (nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular"), (2, 4, 6, 5)),
    (nn.Conv3d(4, 6, (1, 2, 3), groups=2, stride=(1, 2, 1)), (2, 4, 3, 5, 4)),
    (nn.Conv2d(4, 8, 3), (4, 6, 5)),  # without a batch
    (nn.Conv1d(6, 8, 3), (6, 9)),
]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # torch's, for speed
@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda x: str(x)[:80])
def test_convolutions(layer, shape):
    x = torch.randn(*shape)
    expected = layer(x).detach()
    batched = expected if x.ndim == len(layer.kernel_size) + 2 else expected.unsqueeze(0)
    last = batched.movedim(1, -1)  # outputs last
    found = applied(layer, "weight", ((x,), {}))
    torch.testing.assert_close(joined(found, last), last)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kdim", [None, 6])
def test_attention(batch_first, bias, kdim):
    options = {"bias": bias, "batch_first": batch_first, "kdim": kdim, "vdim": kdim}
    attention = nn.MultiheadAttention(8, 2, **options).eval()
    query = torch.randn(3, 5, 8)
    key, value = (torch.randn(3, 7, kdim or 8) for _ in range(2))
    parts = [x if batch_first else x.transpose(0, 1) for x in (query, key, value)]
    call = (tuple(parts[:2]), {"value": parts[2]})
    if kdim is None:
        weights = attention.in_proj_weight.view(3, 8, 8)
        products = [
            source.rows(source.pick(call)) @ weights[source.parts].mT
            for source in sources_of(attention, "in_proj_weight")
        ]
    else:
        weights = [getattr(attention, f"{k}_proj_weight") for k in "qkv"]
        products = [applied(attention, f"{k}_proj_weight", call) for k in "qkv"]
    for k, (x, product) in enumerate(zip((query, key, value), products, strict=True)):
        expected = (x @ weights[k].T).reshape(1, -1, 8)
        if kdim is not None and bias:
            expected = expected + attention.in_proj_bias[8 * k : 8 * k + 8]
        torch.testing.assert_close(product, expected)

    ((caller, source),) = callers_of(attention).values()
    assert caller is attention
    before = [p.clone() for p in attention.parameters()]
    with torch.no_grad():
        last = attention(*parts)[0]
        last = last if batch_first else last.transpose(0, 1)
        found = applied(attention.out_proj, "weight", call, [source])
    torch.testing.assert_close(joined(found, last), last)
    assert all(map(torch.equal, before, attention.parameters()))


@pytest.mark.parametrize("bias", [True, False])
def test_packed_biases_of_attention(bias):
    attention = nn.MultiheadAttention(8, 2, bias=bias)
    found = bias_of(attention, "in_proj_weight", (3, 8))
    assert (found is not None) == bias
    if bias:
        torch.nn.init.normal_(attention.in_proj_bias)
        assert torch.equal(found.view(found.parameter), attention.in_proj_bias.view(3, 8))


@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_cells(kind, state):
    cell, x, h = kind(6, 4), torch.randn(5, 6), torch.randn(5, 4)
    held = (h, torch.randn(5, 4)) if kind is nn.LSTMCell else h
    call = ((x, held) if state else (x,), {})
    for name, values in (("ih", x), ("hh", h if state else torch.zeros(5, 4))):
        found = applied(cell, f"weight_{name}", call)
        full = values @ getattr(cell, f"weight_{name}").T + getattr(cell, f"bias_{name}")
        assert len(found) == 1, "all gates are one product"
        torch.testing.assert_close(joined(found, full), full)


def test_gpt2s_linear_layer():
    utils = pytest.importorskip("transformers.pytorch_utils")
    layer, x = utils.Conv1D(8, 12), torch.randn(2, 3, 12)
    expected = layer(x)
    torch.testing.assert_close(joined(applied(layer, "weight", ((x,), {})), expected), expected)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (Layout(), (6, 8)),
        (Layout((1, 0)), (6, 8)),
        (Layout(parts=3), (12, 8)),
        (Layout(parts=2), (6, 4, 3, 2)),
        (Layout((0, 1)), (6, 4, 5)),
        (Layout((1, 0)), (6, 4, 5)),
        (Layout((0, 2)), (6, 4, 5)),
    ],
)
def test_lines_go_back_to_weights(layout, shape):
    form, weight = Form(layout, shape), torch.randn(*shape)
    lines = form.lines(weight)
    outputs, inputs = layout.sides(shape)
    assert lines.shape == (layout.parts, outputs, form.features)
    assert (form.outputs, form.features % inputs) == (layout.parts * outputs, 0)
    assert torch.equal(form.weight(lines), weight)
    some = form.part(1)
    smaller = form.weight(lines[:1])
    assert some.shape == tuple(smaller.shape)
    assert torch.equal(some.lines(smaller), lines[:1])


def test_what_is_not_known_has_no_rows():
    assert sources_of(nn.ConvTranspose2d(4, 8, 3), "weight") == []
    assert sources_of(nn.Bilinear(4, 4, 4), "weight") == []
