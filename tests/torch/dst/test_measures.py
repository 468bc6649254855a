import pytest
import torch
from torch import nn

from masksolve.errors import InvalidInput
from masksolve.torch import dst

from . import naive
from .helpers import descend, fill, spread


def _model(kind="vector"):
    torch.manual_seed(0)
    model = nn.Sequential(
        dst.Conv2d(3, 4, 3, thresholds=kind), nn.Flatten(), dst.LSTM(16, 5, thresholds=kind)
    )
    assert not any(bool(parameter.any()) for parameter in dst.thresholds(model).values())
    return spread(model, -0.5, 2)


@pytest.mark.parametrize("kind", ["vector", "scalar", "matrix"])
def test_sparsity_loss_and_its_gradient(kind):
    model = _model(kind)
    found = [t for w in dst.thresholds(model).values() for t in w.flatten().tolist()]
    loss = dst.sparsity_loss(model, alpha=0.3)
    assert loss.item() == pytest.approx(0.3 * naive.sparsity(found), rel=1e-6)
    loss.backward()
    for name, parameter in model.named_parameters():
        if "threshold" in name:
            torch.testing.assert_close(parameter.grad, -0.3 * torch.exp(-parameter.detach()))
        else:
            assert parameter.grad is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sparsity_loss_of_half_precision_is_summed_up_in_single(dtype):
    layer = dst.Linear(1, 70_001, dtype=dtype)  # more than float16 holds
    loss = dst.sparsity_loss(layer)
    assert loss.item() == 70_001
    loss.backward()
    assert layer.threshold.grad.dtype == dtype


def test_alpha_scales_and_zero_is_nothing():
    model = _model()
    whole = dst.sparsity_loss(model).item()
    assert dst.sparsity_loss(model, 0.25).item() == pytest.approx(0.25 * whole)
    assert dst.sparsity_loss(model, 0).item() == 0


@pytest.mark.parametrize("alpha", [-1e-9, float("nan"), float("inf"), "much", None, True])
def test_alpha_is_a_number_from_0_up(alpha):
    with pytest.raises(InvalidInput, match="alpha must be a number from 0 up, got"):
        dst.sparsity_loss(_model(), alpha)


@pytest.mark.parametrize("use", [dst.sparsity_loss, dst.remaining, dst.masks, dst.reset])
def test_spoilt_thresholds_are_named(use):
    model = _model()
    fill(model[2].threshold_hh_l0, float("nan"), at=7)
    with pytest.raises(InvalidInput, match=r"1 of the 20 thresholds of 2\.weight_hh_l0 .* nan"):
        use(model)


def test_thresholds_that_fell_out_of_range():
    model = _model()
    fill(model[0].threshold, -200, at=0)
    with pytest.raises(InvalidInput, match=r"overflows: the lowest is -200"):
        dst.sparsity_loss(model)


@pytest.mark.parametrize(
    "use", [dst.sparsity_loss, dst.remaining, dst.masks, dst.thresholds, dst.reset, dst.finalize]
)
def test_models_without_thresholds(use):
    with pytest.raises(InvalidInput, match="Linear has no thresholds: build it of"):
        use(nn.Linear(3, 3))
    with pytest.raises(InvalidInput, match="model must be a torch module, got list"):
        use([])


def test_remaining_counts_entries_of_masks():
    model = _model()
    masks = dst.masks(model)
    left = dst.remaining(model)
    assert left.kept == sum(int(mask.sum()) for mask in masks.values())
    assert left.size == 4 * 3 * 9 + 20 * 16 + 20 * 5
    assert left.total == left.kept / left.size
    assert left.layers["0.weight"] == float(masks["0.weight"].double().mean())
    gate = masks["2.weight_ih_l0"][5:10]
    assert left.counts["2.weight_ih_l0.forget"] == (int(gate.sum()), 80)
    assert left.dense == []
    assert f"{100 * left.total:.2f} %" in str(left)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_of_a_layer_without_inputs_nothing_is_missing():
    left = dst.remaining(dst.Linear(0, 4))
    assert (left.total, left.layers) == (1, {"weight": 1})
    assert "100.00 %" in str(left)


def test_masks_and_thresholds_are_copies():
    model = _model()
    dst.thresholds(model)["0.weight"].fill_(9)
    dst.masks(model)["0.weight"].fill_(False)
    assert dst.remaining(model).layers["0.weight"] > 0


def test_more_alpha_leaves_less():
    shares = []
    for alpha in (1e-3, 1e-2, 1e-1):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
        dst.convert(model, reset_below=None)  # the rule would bring weights back
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        x = torch.randn(64, 8)
        for _ in range(150):
            loss = (model(x) - x[:, :1]).square().mean() + dst.sparsity_loss(model, alpha)
            descend(optimizer, loss)
        shares.append(dst.remaining(model).total)
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == 3
