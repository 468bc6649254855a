"""Scores that a training gives: against sums and norms worked out by hand, in float64."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.scores import as_training_score
from tests.refusals import says

pytestmark = pytest.mark.usefixtures("double")


def train(score, steps=3, **options):
    """Take steps on a layer; returns its handle, and its weights and gradients over time."""
    layer = nn.Linear(16, 8)
    handle = mst.sparsify(layer, "4:8", score=score, **options)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05, momentum=0.9)
    weight, seen = handle.layers[0].original, []
    for _ in range(steps):
        optimizer.zero_grad()
        (layer(torch.randn(6, 16)) - 1).square().mean().backward()
        optimizer.step()
        seen.append((weight.detach().clone(), weight.grad.clone()))
        handle.step()
    return handle, seen


def best(scores):
    return mst.solve_mask(scores, "4:8", score=None)


def test_magnitude():
    handle, seen = train("magnitude")
    assert torch.equal(handle.masks["weight"], best(seen[-1][0].abs()))


def test_gradient():
    handle, seen = train("gradient")
    weight, gradient = seen[-1]
    assert torch.equal(handle.masks["weight"], best((weight * gradient).abs()))
    record = handle.history.records[-1].layers["weight"]
    assert record.total == pytest.approx((weight * gradient).abs().sum().item())


def test_movement():
    """Of signed scores: the sum over all steps, also those without a refresh."""
    handle, seen = train("movement", steps=6, refresh_every=3)
    moved = sum(-w * g for w, g in seen)
    assert (moved < 0).any()
    mask = handle.masks["weight"]
    assert torch.equal(mask, best(moved))
    record = handle.history.records[-1].layers["weight"]
    assert record.kept == pytest.approx(moved[mask].sum().item())
    assert record.total == pytest.approx(moved.abs().sum().item())


def test_until_there_is_something_to_go_by_it_is_the_magnitude():
    for score in ("gradient", "movement", "wanda"):
        layer = nn.Linear(16, 8)
        handle = mst.sparsify(layer, "4:8", score=score)
        assert torch.equal(handle.masks["weight"], best(handle.layers[0].weight.abs()))


@pytest.mark.parametrize("score", ["gradient", "movement"])
def test_gradients_that_are_gone(score):
    layer = nn.Linear(16, 8)
    handle = mst.sparsify(layer, "4:8", score=score)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.05)
    layer(torch.randn(6, 16)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    with says("the score needs gradients and there are none: call step before zero_grad"):
        handle.step()
    assert handle.steps == 0
    handle.attach(optimizer)  # then the order takes care of itself
    layer(torch.randn(6, 16)).sum().backward()
    optimizer.step()
    assert handle.steps == 1


INPUTS = {
    "linear": (lambda: nn.Linear(16, 8), (7, 16)),
    "sequence": (lambda: nn.Linear(16, 8), (3, 5, 16)),
    "one row": (lambda: nn.Linear(16, 8), (16,)),
    "conv1d": (lambda: nn.Conv1d(16, 8, 3), (4, 16, 9)),
    "conv2d": (lambda: nn.Conv2d(16, 8, 3, stride=2), (4, 16, 5, 6)),
    "conv2d, one image": (lambda: nn.Conv2d(16, 8, 3), (16, 5, 6)),
    "conv3d": (lambda: nn.Conv3d(8, 8, 2), (2, 8, 3, 4, 3)),
    "grouped": (lambda: nn.Conv2d(16, 32, 3, groups=2), (4, 16, 5, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(16, 8, 3), (4, 16, 5, 6)),
    "transposed, grouped": (lambda: nn.ConvTranspose1d(16, 16, 2, groups=2), (4, 16, 5)),
}


def by_hand(layer, weight, x):
    """|W| times the norm of its input channel, entry by entry of the two channel axes."""
    if isinstance(layer, nn.Linear):
        norms = x.reshape(-1, x.shape[-1]).square().mean(0).sqrt()
        return weight.abs() * norms
    spatial = len(layer.kernel_size)
    rows = x.movedim(-1 - spatial, 0).flatten(1)
    norms = [row.square().mean().sqrt() for row in rows]
    found = weight.abs().clone()
    per_group_in = layer.in_channels // layer.groups
    per_group_out = layer.out_channels // layer.groups
    for i in range(layer.in_channels):
        group = i // per_group_in
        if layer.transposed:  # (in, out of the group, ...)
            found[i] *= norms[i]
        else:  # (out, in of the group, ...)
            outs = slice(group * per_group_out, (group + 1) * per_group_out)
            found[outs, i % per_group_in] *= norms[i]
    return found


@pytest.mark.parametrize("case", INPUTS)
def test_wanda(case):
    make, shape = INPUTS[case]
    layer, x = make(), torch.randn(shape) * torch.rand(shape)
    handle = mst.sparsify(layer, "4:8", score="wanda")
    layer(x)
    (one,) = handle.layers
    score = handle._score
    expected = by_hand(layer, one.weight, x).square()
    torch.testing.assert_close(score(one), expected, rtol=2e-6, atol=0)
    handle.refresh()
    expected = mst.solve_mask(score(one), "4:8", score=None, layout=one.layout)
    assert torch.equal(one.mask, expected)


def test_wanda_forgets_slowly_and_looks_in_training_only():
    layer = nn.Linear(16, 8)
    wanda = mst.Wanda(memory=0.75)
    handle = mst.sparsify(layer, "4:8", score=wanda)
    xs = [torch.randn(5, 16) for _ in range(3)]
    layer(xs[0])
    layer(input=xs[1])  # by name
    layer(torch.empty(0, 16))  # nothing to see
    layer.eval()
    layer(xs[2])
    layer.train()
    squares = 0.75 * xs[0].square().mean(0) + 0.25 * xs[1].square().mean(0)
    expected = handle.layers[0].weight.square() * squares
    torch.testing.assert_close(wanda(handle.layers[0]), expected, rtol=1e-6, atol=0)


def test_wanda_of_half_precision_does_not_lose_small_squares():
    layer = nn.Linear(16, 8).half()
    layer.weight.data *= 1e-3
    handle = mst.sparsify(layer, "4:8", score="wanda")
    layer(torch.randn(5, 16).half())
    assert (handle._score(handle.layers[0])[layer.weight != 0] > 0).all()


def test_wanda_lets_go_when_finalized():
    layer = nn.Linear(16, 8)
    handle = mst.sparsify(layer, "4:8", score="wanda")
    assert len(layer._forward_pre_hooks) == 1
    handle.finalize()
    assert not layer._forward_pre_hooks


def test_wanda_of_an_input_first_layer():
    conv1d = pytest.importorskip("transformers.pytorch_utils").Conv1D
    layer, x = conv1d(8, 16), torch.randn(5, 16)
    handle = mst.sparsify(layer, "4:8", score="wanda")
    layer(x)
    (one,) = handle.layers
    expected = one.weight.square() * x.square().mean(0)[:, None]
    torch.testing.assert_close(handle._score(one), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("select", "name", "kind"),
    [
        (nn.MultiheadAttention, "0.in_proj_weight", "MultiheadAttention"),
        ("0.out_proj", "0.out_proj.weight", "NonDynamicallyQuantizableLinear"),
        (nn.Embedding, "1.weight", "Embedding"),
        (nn.GRUCell, "2.weight_ih", "GRUCell"),
    ],
)
def test_wanda_where_there_is_no_input_to_see(select, name, kind):
    model = nn.Sequential(
        nn.MultiheadAttention(16, 2), nn.Embedding(16, 8), nn.GRUCell(8, 8), nn.Linear(8, 8)
    )
    words = "Wanda's score needs a linear layer or a convolution that is called itself"
    with says(f"{name}: {words}, got {kind}"):
        mst.sparsify(model, "4:8", select=select, score="wanda")
    assert not any(module._forward_pre_hooks for module in model.modules())


class ByDistance:
    """Somebody's own criterion: how far a weight has come since the start."""

    def __init__(self):
        self.watched, self.observed = {}, []

    def watch(self, layer):
        self.watched[layer.name] = layer.weight.clone()
        return layer.module.register_forward_hook(lambda *_: None)

    def observe(self, layer):
        self.observed.append(layer.name)

    def __call__(self, layer):
        return (layer.weight - self.watched[layer.name]).abs() + 1e-3 * layer.weight.abs()


def test_a_criterion_of_ones_own():
    score = ByDistance()
    handle, seen = train(score, steps=4, refresh_every=2)
    assert score.observed == ["weight"] * 4
    weight = seen[-1][0]
    expected = (weight - score.watched["weight"]).abs() + 1e-3 * weight.abs()
    assert torch.equal(handle.masks["weight"], best(expected))
    handle.finalize()
    assert not handle.model._forward_hooks


def test_a_plain_function():
    """Rows weighed by what a layer's module knows."""
    handle, seen = train(lambda layer: layer.weight * layer.module.bias.detach()[:, None])
    scores = seen[-1][0] * handle.model.bias.detach()[:, None]
    assert torch.equal(handle.masks["weight"], best(scores))


KNOWN = "magnitude, gradient, movement, wanda or a function of a layer"
OTHER_SHAPE = "(16,): expected that of the weight, (8, 16)"


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        ("fisher", f"score 'fisher' is not known: expected one of {KNOWN}"),
        (3, "score must be a name or a function, got 3"),
        (None, "score must be a name or a function, got None"),
        (lambda layer: 3, "the score of weight must be a tensor, got int"),
        (lambda layer: layer.weight.numpy(), "the score of weight must be a tensor, got ndarray"),
        (lambda layer: layer.weight.sum(0), f"the score of weight has shape {OTHER_SHAPE}"),
        (lambda layer: layer.weight / 0, None),
    ],
)
def test_scores_that_are_refused(score, sentence):
    layer = nn.Linear(16, 8)
    with pytest.raises(InvalidInput) as error:
        mst.sparsify(layer, "4:8", score=score)
    if sentence is None:
        assert str(error.value).startswith("weight at step 0: weights[0, 0] is ")
        assert str(error.value).endswith("inf: scores must be finite; all masks stay as they were")
    else:
        assert str(error.value) == sentence
    assert type(layer) is nn.Linear


def test_memory_of_wanda():
    with says("memory must be in [0, 1), got 1"):
        mst.Wanda(memory=1)


def test_names():
    assert as_training_score("magnitude") is None
    assert isinstance(as_training_score("movement"), mst.Movement)
    assert isinstance(as_training_score("gradient"), mst.Gradient)
    assert isinstance(as_training_score("wanda"), mst.Wanda)
