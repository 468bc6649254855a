import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from masksolve.errors import InvalidInput
from masksolve.torch import dst

from . import naive
from .helpers import descend, fill, gradients, thresholds

KINDS = ("vector", "scalar", "matrix")


def _linear(kind="vector", seed=0):
    """Weights from -1.5 to 1.5, thresholds from -0.3 to 0.9: every branch is met."""
    random = torch.Generator().manual_seed(seed)
    layer = dst.Linear(7, 5, dtype=torch.float64, thresholds=kind)
    with torch.no_grad():
        layer.weight.uniform_(-1.5, 1.5, generator=random)
        layer.threshold.uniform_(-0.3, 0.9, generator=random)
    return layer


def _rows(layer):
    """The thresholds as the oracle takes them: one a row, or a row of them."""
    t = layer.threshold.tolist()
    return t * len(layer.weight) if layer.kind == "scalar" else t


def _matrix(rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_weight_and_output(kind):
    layer = _linear(kind)
    expected = _matrix(naive.masked(layer.weight.tolist(), _rows(layer)))
    assert 0 < (expected == 0).sum() < expected.numel()
    torch.testing.assert_close(layer.masked("weight"), expected)
    x = torch.randn(3, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ expected.T + layer.bias)


@pytest.mark.parametrize("kind", KINDS)
def test_both_gradients_and_that_of_thresholds(kind):
    layer = _linear(kind)
    x, above = torch.randn(3, 7, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    layer(x).backward(above)
    performance, structure, threshold = gradients(layer.weight, _rows(layer), above.T @ x)
    torch.testing.assert_close(layer.weight.grad, performance + structure)
    pruned = performance == 0
    assert bool((layer.weight.grad[pruned] != 0).any())  # what is pruned learns on
    by_kind = {"vector": threshold.sum(1), "scalar": threshold.sum()[None], "matrix": threshold}
    torch.testing.assert_close(layer.threshold.grad, by_kind[kind])


def test_structure_gradient_by_finite_differences():
    """Hold the performance's part still: what is left is the slope of the primitive."""
    layer = _linear()
    upstream = torch.randn(5, 7, dtype=torch.float64)
    layer.masked("weight").backward(upstream)
    weight, levels = layer.weight.tolist(), layer.threshold.tolist()
    worth = (upstream * layer.weight.detach()).tolist()  # of each entry of the mask

    def total(weight, levels):
        return sum(
            worth[i][j] * naive.primitive(abs(w) - levels[i])
            for i, row in enumerate(weight)
            for j, w in enumerate(row)
        )

    def slope(values, index, of):
        h, ends = 1e-6, []
        for move in (h, -h):
            moved = np.array(values)
            moved[index] += move
            ends.append(of(moved.tolist()))
        return (ends[0] - ends[1]) / (2 * h)

    for i in range(5):
        by_threshold = slope(levels, (i,), lambda t: total(weight, t))
        assert layer.threshold.grad[i].item() == pytest.approx(by_threshold, abs=1e-6)
        for j in range(7):
            kept = abs(weight[i][j]) > levels[i]
            performance = upstream[i, j].item() * kept
            structure = slope(weight, (i, j), lambda w: total(w, levels))
            expected = pytest.approx(performance + structure, abs=1e-6)
            assert layer.weight.grad[i, j].item() == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sparse", "plain", "shape"),
    [(dst.Conv1d, nn.Conv1d, (2, 4, 9)), (dst.Conv2d, nn.Conv2d, (2, 4, 9, 9))],
)
def test_convolutions_flatten_filters(kind, sparse, plain, shape):
    options = {"stride": 2, "padding": 1, "groups": 2, "dtype": torch.float64}
    layer = sparse(4, 6, 3, thresholds=kind, **options)
    with torch.no_grad():
        layer.threshold.uniform_(0, 0.2)  # of weights up to 0.23: not all are lost
    weight = layer.weight.flatten(1)
    rows = layer.threshold.flatten(1) if kind == "matrix" else layer.threshold
    rows = (rows.expand(6) if kind == "scalar" else rows).tolist()
    masked = _matrix(naive.masked(weight.tolist(), rows))
    dense = plain(4, 6, 3, **options)
    dense.load_state_dict({"weight": masked.view_as(layer.weight), "bias": layer.bias.detach()})
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(layer(x), dense(x))
    layer(x).sum().backward()
    dense(x).sum().backward()
    upstream = dense.weight.grad.flatten(1)
    performance, structure, threshold = gradients(weight, rows, upstream)
    torch.testing.assert_close(layer.weight.grad.flatten(1), performance + structure)
    by_kind = {"vector": threshold.sum(1), "scalar": threshold.sum()[None], "matrix": threshold}
    expected = by_kind[kind].view_as(layer.threshold)
    torch.testing.assert_close(layer.threshold.grad, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_last_in_memory(kind):
    first = dst.Conv2d(4, 8, 3, thresholds=kind)
    fill(first.threshold, 0.05)
    last = copy.deepcopy(first).to(memory_format=torch.channels_last)
    x = torch.randn(2, 4, 6, 6)
    for layer in (first, last):
        layer(x).square().sum().backward()
    torch.testing.assert_close(last.threshold.grad, first.threshold.grad)
    torch.testing.assert_close(last.weight.grad, first.weight.grad)
    assert dst.remaining(last) == dst.remaining(first)
    assert 0.5 < dst.remaining(last).total < 1
    dst.project(last, "2:4,at-most").remove()
    fill(last.threshold, 9)
    last(x)
    assert not bool(last.threshold.any())


def test_padding_modes_are_the_dense_layers():
    layer = dst.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")
    dense = nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")
    dense.load_state_dict({k: v for k, v in layer.state_dict().items() if k != "threshold"})
    x = torch.randn(1, 2, 6, 6)
    torch.testing.assert_close(layer(x), dense(x))


def test_thresholds_start_at_zero_and_keep_everything():
    layer = dst.Linear(7, 5)
    assert layer.threshold.tolist() == [0.0] * 5
    assert torch.equal(layer.masked("weight"), layer.weight)
    fill(layer.weight, 0, at=(0, 0))
    assert not dst.masks(layer)["weight"][0, 0]  # strictly above


def test_first_weights_are_the_dense_layers_and_can_be_drawn_again():
    torch.manual_seed(0)
    layer = dst.Linear(7, 5, initial=0.25)
    torch.manual_seed(0)
    dense = nn.Linear(7, 5)
    assert torch.equal(layer.weight, dense.weight)
    fill(layer.threshold, 3)
    layer.reset_parameters()
    assert layer.threshold.tolist() == [0.25] * 5
    assert not torch.equal(layer.weight, dense.weight)


def test_copies_pickles_and_checkpoints():
    layer = _linear()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), _linear(seed=1)):
        other.load_state_dict(layer.state_dict())
        assert torch.equal(other.masked("weight"), layer.masked("weight"))
    assert set(layer.state_dict()) == {"weight", "bias", "threshold"}


def test_a_pruned_weight_learns_comes_back_and_stays():
    """The output needs a weight that the threshold hides at first."""
    layer = dst.Linear(1, 1, bias=False)
    fill(layer.weight, 0.05)
    fill(layer.threshold, 0.2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05)
    x = torch.ones(1, 1)
    kept = []
    for _ in range(60):
        kept.append(bool(dst.masks(layer)["weight"]))
        loss = (layer(x) - 1).square().sum() + dst.sparsity_loss(layer, alpha=1e-3)
        descend(optimizer, loss)
    assert kept[0] is False
    assert all(kept[-40:])
    assert layer(x).item() == pytest.approx(1, abs=0.05)


def test_a_threshold_that_falls_brings_weights_back():
    layer = dst.Linear(2, 1, bias=False)
    fill(layer.weight, torch.tensor([[0.1, 0.5]]))
    fill(layer.threshold, 0.3)
    layer.weight.requires_grad_(False)
    optimizer = torch.optim.SGD([layer.threshold], lr=0.5)
    assert dst.masks(layer)["weight"].tolist() == [[False, True]]
    for _ in range(30):
        loss = (layer(torch.tensor([[1.0, 0.0]])) - 0.1).square().sum()
        descend(optimizer, loss)
    assert dst.masks(layer)["weight"].tolist() == [[True, True]]


COMPILED = {
    "linear": (lambda: dst.Linear(7, 5), (3, 7)),
    "conv1d": (lambda: dst.Conv1d(4, 6, 3), (2, 4, 9)),
    "conv2d": (lambda: dst.Conv2d(4, 6, 3), (2, 4, 9, 9)),
    "cell": (lambda: dst.LSTMCell(7, 5, reset_below=0.01), (3, 7)),
}


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("level", [0.1, 9.0])  # the higher is taken back
@pytest.mark.parametrize("name", COMPILED)
def test_compiles_without_a_break(name, level):
    torch.compiler.reset()
    make, shape = COMPILED[name]
    layer = make()
    for parameter in thresholds(layer).values():
        fill(parameter, level)
    other = copy.deepcopy(layer)
    x = torch.randn(shape)
    found = torch.compile(other, backend="aot_eager", fullgraph=True)(x)
    for expected, ours in zip(_tensors(layer(x)), _tensors(found), strict=True):
        torch.testing.assert_close(ours, expected)
        expected.sum().backward(retain_graph=True)
        ours.sum().backward(retain_graph=True)
    for one, two in zip(layer.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(two, one)
        torch.testing.assert_close(two.grad, one.grad)
    assert int(other.resets) == int(layer.resets)
    assert bool(layer.resets) is (level > 1)


def _tensors(output):
    return output if isinstance(output, tuple) else (output,)


def test_gradients_of_every_example():
    layer = _linear()
    layer.eval()
    x = torch.randn(3, 7, dtype=torch.float64)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, one):
        return torch.func.functional_call(layer, parameters, (one,)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for k in range(3):
        layer.zero_grad()
        layer(x[k]).square().sum().backward()
        for name, parameter in layer.named_parameters():
            torch.testing.assert_close(found[name][k], parameter.grad)


def test_mixed_precision_keeps_masks_and_thresholds_whole():
    layer = dst.Linear(64, 32)
    fill(layer.threshold, 0.05)
    x = torch.randn(3, 64)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), layer(x), atol=0.02, rtol=0.02)
    found.sum().backward()
    assert layer.threshold.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"thresholds": "row"}, "thresholds must be one of vector, scalar, matrix, got 'row'"),
        ({"initial": float("nan")}, "initial must be a finite number, got nan"),
        ({"reset_below": 1.5}, "reset_below must be a share from 0 to 1, or None, got 1.5"),
        ({"reset_below": -0.1}, "reset_below must be a number from 0 up, got -0.1"),
        ({"reset_below": "never"}, "reset_below must be a number from 0 up, got 'never'"),
    ],
)
def test_options_that_make_no_sense(options, said):
    with pytest.raises(InvalidInput) as caught:
        dst.Linear(7, 5, **options)
    assert str(caught.value) == said


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_spoilt_thresholds_are_said_not_used(bad):
    layer = _linear()
    fill(layer.threshold, bad, at=slice(2, 4))
    with pytest.raises(InvalidInput, match=rf"2 of the 5 thresholds .*{bad}") as caught:
        layer(torch.zeros(1, 7, dtype=torch.float64))
    assert "\n" not in str(caught.value)
