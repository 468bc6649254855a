"""The reset rule: published in linear layers and convolutions, missing in LSTMs."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from masksolve.errors import InvalidInput
from masksolve.torch import dst

from .helpers import fill


def _starve(module, name="threshold", rows=slice(None)):
    fill(getattr(module, name), 5.0, at=rows)


def _left(weight, share):
    """Let so many of a weight's entries, of size 1, stay above a threshold of 0.5."""
    with torch.no_grad():
        weight.fill_(0.1)
        weight.view(-1)[: round(share * weight.numel())] = 1.0


@pytest.mark.parametrize("kind", ["vector", "scalar", "matrix"])
def test_at_one_percent_thresholds_go_back_to_zero(kind):
    for share, reset in ((0.01, True), (0.011, False)):
        layer = dst.Linear(100, 10, thresholds=kind)
        _left(layer.weight, share)
        fill(layer.threshold, 0.5)
        layer(torch.zeros(1, 100))
        assert bool((layer.threshold == 0).all()) is reset
        assert dst.remaining(layer).total == (1 if reset else 0.011)
        assert int(layer.resets) == reset


def test_the_call_that_resets_uses_the_reset_mask():
    layer = dst.Linear(8, 4)
    _starve(layer)
    x = torch.randn(3, 8)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))
    _starve(layer)
    layer(x).sum().backward()
    by_reset = layer.threshold.grad.clone()
    layer.zero_grad()
    layer(x).sum().backward()
    torch.testing.assert_close(by_reset, layer.threshold.grad)


def test_what_waits_for_its_backward_pass_may_see_a_reset():
    layer = dst.Linear(8, 4)
    _starve(layer)
    penalty = layer.threshold.square().sum()
    x = torch.randn(3, 8)
    (layer(x).sum() + layer(x).sum() + penalty).backward()
    assert bool(layer.threshold.grad.isfinite().all())


def test_checkpoints_of_activations_meet_a_reset():
    """Computed again, the layer finds its thresholds at 0 already."""
    layer, other = dst.Linear(8, 4), dst.Linear(8, 4)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(3, 8)
    for module in (layer, other):
        _starve(module)
    layer(x).square().sum().backward()
    checkpoint(other, x, use_reentrant=False).square().sum().backward()
    assert torch.equal(other.weight.grad, layer.weight.grad)
    assert torch.equal(other.threshold.grad, layer.threshold.grad)
    assert int(other.resets) == 1


def test_convolutions_too():
    layer = dst.Conv2d(3, 8, 3)
    _starve(layer)
    layer(torch.zeros(1, 3, 5, 5))
    assert layer.threshold.tolist() == [0] * 8


@pytest.mark.parametrize("layer", [dst.Linear(8, 4).eval(), dst.Linear(8, 4, reset_below=None)])
def test_evaluation_and_layers_without_the_rule_change_nothing(layer):
    _starve(layer)
    torch.testing.assert_close(layer(torch.randn(3, 8)), layer.bias.expand(3, 4))
    assert layer.threshold.tolist() == [5] * 4


@pytest.mark.parametrize("make", [dst.LSTM, dst.LSTMCell])
def test_lstms_lack_it_as_published(make):
    lstm = make(8, 6)
    names = [name for name in lstm.state_dict() if name.startswith("threshold")]
    for name in names:
        _starve(lstm, name)
    lstm(torch.zeros(3, 2, 8) if make is dst.LSTM else torch.zeros(2, 8))
    assert dst.remaining(lstm).total == 0
    assert all(bool((getattr(lstm, name) == 5).all()) for name in names)


@pytest.mark.parametrize("make", [dst.LSTM, dst.LSTMCell])
@pytest.mark.parametrize("kind", ["vector", "scalar", "matrix"])
def test_lstms_can_have_it_for_each_matrix_alone(make, kind):
    lstm = make(8, 6, reset_below=0.01, thresholds=kind)
    name = next(name for name in lstm.state_dict() if name.startswith("threshold_hh"))
    threshold = getattr(lstm, name)
    gates = len(threshold) // 4
    fill(threshold, 0.001)
    _starve(lstm, name, slice(gates, 2 * gates))  # the forget gate's
    lstm(torch.zeros(3, 2, 8) if make is dst.LSTM else torch.zeros(2, 8))
    parts = threshold.view(4, -1)
    assert bool((parts[1] == 0).all())
    assert bool((parts[[0, 2, 3]] == 0.001).all())
    assert int(lstm.resets) == 1


def test_by_hand_for_any_model():
    model = nn.Sequential(dst.Linear(8, 6), nn.ReLU(), dst.Linear(6, 4)).eval()
    lstm = dst.LSTM(8, 6)
    _starve(model[2])
    _starve(lstm, "threshold_ih_l0", slice(6))
    assert dst.reset(model) == ["2.weight"]
    assert dst.reset(model) == []
    assert dst.reset(lstm) == []  # not its own rule
    assert dst.reset(lstm, below=0.01) == ["weight_ih_l0.input"]
    assert dst.remaining(lstm).total == 1


def test_by_hand_with_another_share():
    layer = dst.Linear(100, 10)
    _left(layer.weight, 0.3)
    fill(layer.threshold, 0.5)
    assert dst.reset(layer, below=0.2) == []
    assert dst.reset(layer, below=0.3) == ["weight"]


@pytest.mark.parametrize("bad", [-0.1, 2, "a", True])
def test_by_hand_refuses_what_is_no_share(bad):
    with pytest.raises(InvalidInput, match="below must be a"):
        dst.reset(dst.Linear(4, 4), below=bad)


def test_nan_is_not_taken_back_in_silence():
    """A mask of NaN keeps nothing, so the published rule would wipe the trace."""
    layer = dst.Linear(8, 4)
    fill(layer.threshold, float("nan"), at=1)
    for use in (lambda: layer(torch.zeros(1, 8)), lambda: dst.reset(layer)):
        with pytest.raises(InvalidInput, match="1 of the 4 thresholds"):
            use()
    assert layer.threshold.isnan().tolist() == [False, True, False, False]
