import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

import masksolve as ms
from masksolve.errors import InvalidInput, InvalidPattern, UnknownMethod
from masksolve.torch import dst

from .helpers import descend, fill, gradients


def _linear(rows=16, columns=24, seed=0):
    random = torch.Generator().manual_seed(seed)
    layer = dst.Linear(columns, rows, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.uniform_(-1, 1, generator=random)
        layer.threshold.uniform_(0, 0.8, generator=random)
    return layer


def _best_tile(scores, n):
    """The largest sum of at most n a line, by linear programming."""
    m = len(scores)
    lines = np.zeros((2 * m, m * m))
    for k in range(m):
        lines[k, k * m : (k + 1) * m] = lines[m + k, k::m] = 1
    found = linprog(-scores.ravel(), A_ub=lines, b_ub=np.full(2 * m, n), bounds=(0, 1))
    return -found.fun


def test_mask_keeps_the_largest_sum_of_distances():
    layer = _linear()
    dst.project(layer, "2:8,at-most")
    distance = (layer.weight.abs() - layer.threshold[:, None]).detach().numpy()
    mask = dst.masks(layer)["weight"].numpy()
    ms.check_mask(mask, "2:8,at-most")
    ms.check_mask(mask.T, "2:8,at-most")
    assert (distance[mask] > 0).all()
    for i in range(0, 16, 8):
        for j in range(0, 24, 8):
            tile = distance[i : i + 8, j : j + 8]
            kept = tile[mask[i : i + 8, j : j + 8]].sum()
            assert kept == pytest.approx(_best_tile(tile, 2))


def test_a_pattern_raises_thresholds_by_the_solvers_prices():
    """M = step(|W| - t - u - v) with the dual variables of rows and columns."""
    layer = _linear()
    dst.project(layer, "2:8,at-most")
    mask = dst.masks(layer)["weight"].numpy()
    distance = (layer.weight.abs() - layer.threshold[:, None]).detach().numpy()
    found = ms.solve(distance, "2:8,at-most", score=None, potentials=True).tiles
    rows, columns = found.row_potentials, found.column_potentials
    assert rows.min() >= 0
    assert columns.min() >= 0
    raised = rows[..., :, None] + columns[..., None, :]  # (2, 3, 8, 8): tile by tile
    raised = raised.transpose(0, 2, 1, 3).reshape(16, 24)
    assert raised.max() > 0.1
    np.testing.assert_array_equal(distance - raised > 0, mask)


def test_as_n_reaches_m_it_is_the_step():
    layer = _linear()
    expected = dst.masks(layer)["weight"]
    dst.project(layer, "8:8,at-most")
    assert torch.equal(dst.masks(layer)["weight"], expected)


def test_exactly_n_keeps_n_though_thresholds_would_not():
    layer = _linear()
    fill(layer.threshold, 0.9)
    projection = dst.project(layer, "4:8")
    ms.check_mask(dst.masks(layer)["weight"].numpy(), "4:8")
    assert str(projection.patterns["weight"]) == "4:8"


def test_output_and_gradients_are_those_of_the_mask():
    layer = _linear()
    dst.project(layer, "2:8,at-most")
    mask = dst.masks(layer)["weight"]
    x = torch.randn(3, 24, dtype=torch.float64)
    above = torch.randn(3, 16, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ (layer.weight * mask).T + layer.bias)
    layer(x).backward(above)
    upstream = above.T @ x
    _, structure, threshold = gradients(layer.weight, layer.threshold.tolist(), upstream)
    torch.testing.assert_close(layer.weight.grad, upstream * mask + structure)
    torch.testing.assert_close(layer.threshold.grad, threshold.sum(1))


def test_every_layers_pattern_follows_what_its_thresholds_keep():
    model = nn.Sequential(_linear(), _linear(seed=1), _linear(seed=2))
    for layer, level in zip(model, (0.0, 0.55, 0.93), strict=True):
        fill(layer.threshold, level)
    shares = dst.remaining(model).layers
    projection = dst.project(model, dst.by_share(8))
    expected = [f"{int(np.ceil(8 * share))}:8,at-most" for share in shares.values()]
    assert [str(p) for p in projection.patterns.values()] == expected
    assert len(set(expected)) == 3
    fill(model[0].threshold, 0.93)
    projection.refresh()
    assert str(projection.patterns["0.weight"]) == "1:8,at-most"


def test_rule_by_share():
    rule = dst.by_share(4, transposable=False, least=2)
    for share, n in ((0.0, 2), (0.5, 2), (0.500001, 3), (1.0, 4)):
        assert str(rule(share)) == f"{n}:4,plain,at-most"
    assert rule(3 * (1 / 12)).n == 2  # not 3 for a share of 0.25 and a rounding error
    with pytest.raises(InvalidPattern, match="n must be at most m"):
        dst.by_share(4, least=5)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: dst.Conv2d(8, 16, 3), (16, 8, 3, 3)),
        (lambda: dst.Conv2d(16, 16, 3, groups=2), (2, 8, 8, 3, 3)),
        (lambda: dst.LSTMCell(8, 8), (4, 8, 8)),
        (lambda: dst.LSTM(8, 8), (4, 8, 8)),
        (lambda: dst.Linear(10, 13), (13, 10)),
    ],
)
def test_layouts_groups_gates_and_odd_shapes(make, shape):
    module = make()
    dst.project(module, "2:4,at-most")
    for mask in dst.masks(module).values():
        matrices = mask.view(shape).numpy()
        axes = (1, 2) if len(shape) in (3, 5) else (0, 1)
        ms.check_mask(matrices, "2:4,at-most", axes=axes)
        assert 0.3 < matrices.mean() <= 0.55  # partial tiles have room for more


def test_masks_are_renewed_with_the_steps():
    layer = _linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    projection = dst.project(layer, dst.by_share(8), refresh_every=2)
    first = dst.masks(layer)["weight"]
    seen = []
    for _ in range(4):
        loss = layer(torch.ones(2, 24, dtype=torch.float64)).square().mean()
        descend(optimizer, loss)
        projection.step()
        seen.append(dst.masks(layer)["weight"])
    assert torch.equal(seen[0], first)
    assert not torch.equal(seen[1], first)
    assert torch.equal(seen[2], seen[1])
    assert projection.steps == 4


def test_an_optimizer_that_steps_by_itself():
    layer = _linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    projection = dst.project(layer, "2:8,at-most", optimizer=optimizer)
    first = dst.masks(layer)["weight"]
    layer(torch.ones(2, 24, dtype=torch.float64)).square().mean().backward()
    optimizer.step()
    assert projection.steps == 1
    assert not torch.equal(dst.masks(layer)["weight"], first)
    with pytest.raises(InvalidInput, match="the optimizer calls step by itself"):
        projection.step()
    projection.remove()
    optimizer.step()
    assert projection.steps == 1
    assert torch.equal(dst.masks(layer)["weight"], layer.weight.abs() > layer.threshold[:, None])
    with pytest.raises(InvalidInput, match="the projection is removed"):
        projection.step()


def test_the_reset_rule_goes_by_thresholds_and_comes_first():
    model = nn.Sequential(_linear(), dst.LSTM(16, 8).double())
    fill(model[0].threshold, 3)
    fill(model[1].threshold_ih_l0, 3)
    projection = dst.project(model, dst.by_share(8))
    assert model[0].threshold.tolist() == [0] * 16
    assert bool((model[1].threshold_ih_l0 == 3).all())
    kept = {name: pattern.n for name, pattern in projection.patterns.items()}
    assert kept == {"0.weight": 8, "1.weight_ih_l0": 1, "1.weight_hh_l0": 8}
    model.eval()
    fill(model[0].threshold, 3)
    projection.refresh()
    assert dst.remaining(model).layers["0.weight"] == 0


def test_checkpoints_hold_masks_and_patterns():
    layer = _linear()
    dst.project(layer, dst.by_share(8))
    other = _linear(seed=1)
    projection = dst.project(other, dst.by_share(8))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(dst.masks(other)["weight"], dst.masks(layer)["weight"])
    assert projection.patterns["weight"] == layer.projected.pattern
    assert str(layer.projected.pattern) in str(other)


def test_finalize_of_projected_weights_is_a_valid_nm_model():
    model = nn.Sequential(_linear(), nn.ReLU(), _linear(16, 16))
    dst.project(model, "2:8,at-most")
    x = torch.randn(3, 24, dtype=torch.float64)
    expected = model(x)
    dst.finalize(model)
    torch.testing.assert_close(model(x), expected)
    for layer in (model[0], model[2]):
        ms.check_mask((layer.weight != 0).numpy(), "2:8,at-most")
    assert set(model.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_a_weight_that_is_not_finite_leaves_all_masks():
    model = nn.Sequential(_linear(), _linear(seed=1))
    projection = dst.project(model, "2:8,at-most")
    before = {name: mask.clone() for name, mask in dst.masks(model).items()}
    with torch.no_grad():
        model[0].weight.neg_().add_(0.1)
        model[1].weight[2, 3] = float("nan")
    with pytest.raises(InvalidInput, match=r"1\.weight at step 1: .*all masks stay as they were"):
        projection.step()
    assert all(torch.equal(mask, before[name]) for name, mask in dst.masks(model).items())
    fill(model[0].threshold, float("nan"), at=1)
    with pytest.raises(InvalidInput, match=r"1 of the 16 thresholds of 0\.weight"):
        projection.step()


def test_bad_input():
    layer = _linear()
    plain, whole = nn.Linear(8, 8), "refresh_every must be a whole number from 1 up"
    torchs = "optimizer must be one of torch's, got str"
    for given, pattern, options, error, words in (
        (layer, "9:8", {}, InvalidPattern, "'9:8' keeps 9 of 8"),
        (layer, 8, {}, InvalidInput, "pattern must be a Pattern, a string such as"),
        (layer, "2:8", {"method": "magic"}, UnknownMethod, "magic"),
        (layer, "2:8", {"refresh_every": 0}, InvalidInput, whole),
        (layer, "2:8", {"optimizer": "sgd"}, InvalidInput, torchs),
        (plain, "2:8", {}, InvalidInput, "Linear has no thresholds"),
    ):
        with pytest.raises(error, match=words):
            dst.project(given, pattern, **options)
    assert layer.state_dict().keys() == {"weight", "bias", "threshold"}
    dst.project(layer, "2:8")
    with pytest.raises(InvalidInput, match="weight is projected already"):
        dst.project(layer, "2:8")
