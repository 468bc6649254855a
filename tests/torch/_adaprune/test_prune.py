"""Whole models: valid masks, smaller errors, and nothing else changed."""

from copy import deepcopy

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from tests.torch._adaprune import models
from tests.torch._adaprune.models import Recurrent, Residual, assert_masked, images, mlp, related

PATTERNS = ["2:4", "4:8", "2:4,plain", "4:8,plain", "3:8,at-most"]


def gap(model, dense, batches):
    """Return the squared error of a model's outputs against the dense one's, relative."""
    with torch.no_grad():
        pairs = [(model(x), dense(x)) for x in batches]
    whole = sum(expected.square().sum() for _, expected in pairs)
    return float(sum((found - expected).square().sum() for found, expected in pairs) / whole)


def one_shot(dense, pattern, names):
    model = deepcopy(dense)
    for name in names:
        weight = model.get_parameter(name)
        weight.data *= mst.solve_mask(weight, pattern)
    return model


@pytest.mark.parametrize("pattern", PATTERNS)
def test_masks_hold_and_outputs_come_nearer(pattern):
    dense = mlp()
    batches = [related(100, 16, seed=k) for k in range(5)]
    held = [related(200, 16, seed=99)]
    model = deepcopy(dense)
    pruned = mst.adaprune(model, batches, pattern)
    assert list(pruned.masks) == ["0.weight", "2.weight", "4.weight"]
    assert_masked(model, pruned.masks, pattern)
    for name in pruned.masks:
        weight = model.get_parameter(name)
        assert (weight.dtype, weight.requires_grad) == (torch.float32, True)
    before = gap(one_shot(dense, pattern, pruned.masks), dense, held)
    assert gap(model, dense, held) < before / 2
    for row in pruned.layers:
        assert row.error < row.one_shot
        assert row.rows == 500


def test_later_layers_make_up_for_earlier_ones():
    dense = mlp()
    batches = [related(100, 16, seed=k) for k in range(5)]
    found = {}
    for mode in ("sequential", "parallel"):
        model = deepcopy(dense)
        pruned = mst.adaprune(model, batches, "2:4", mode=mode)
        found[mode] = gap(model, dense, batches)
        if mode == "sequential":
            # The last layer's error is then that of the whole model.
            with torch.no_grad():
                own = sum((dense(x) - dense[4].bias).square().sum() for x in batches)
                whole = sum(dense(x).square().sum() for x in batches)
            target = own / whole
            expected = found[mode] / float(target)
            assert pruned.layers[-1].error == pytest.approx(expected, rel=1e-3)
    assert found["sequential"] < found["parallel"]


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
@pytest.mark.parametrize("optimizer", ["least_squares", "adam", "none"])
def test_convolutions_in_groups_norms_and_sums(mode, optimizer):
    dense = Residual().eval()
    batches = images()
    model = deepcopy(dense)
    asked = {"mode": mode, "optimizer": optimizer, "iterations": 60, "rates": (5e-3, 1e-2)}
    pruned = mst.adaprune(model, batches, "2:4", batch_norm=False, **asked)
    assert set(pruned.masks) == {"one.weight", "two.weight", "short.weight", "head.weight"}
    assert dict(pruned.skipped)["stem.weight"] == "its matrix is 16 x 3, narrower than 4"
    for name, mask in pruned.masks.items():
        assert not model.get_parameter(name)[~mask].any()
        ms.check_mask(mask.numpy(), "2:4", axes=(0, 1))
        if name != "two.weight":
            ms.check_mask(mask.transpose(0, 1).numpy(), "2:4", axes=(0, 1))
    two = pruned.masks["two.weight"].unflatten(0, (2, 16))
    ms.check_mask(two.numpy(), "2:4", axes=(1, 2))
    ms.check_mask(two.numpy(), "2:4", axes=(2, 1))
    if optimizer != "none":
        assert all(row.error < row.one_shot for row in pruned.layers)
        shot = one_shot(dense, "2:4", [n for n in pruned.masks if n != "two.weight"])
        assert gap(model, dense, batches) < gap(shot, dense, batches)
    # What shares its input is pruned at the same time: the shortcut, with the first layer.
    assert [row.name for row in pruned.layers][:2] == ["one.weight", "short.weight"]


def test_errors_of_a_convolution_are_those_of_its_outputs():
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, groups=2, stride=2))
    model, x = deepcopy(dense), related(6, 5, 7, 8).movedim(-1, 1)
    pruned = mst.adaprune(model, [x[:2], x[2:]], "2:4", ridge=1e-4)
    with torch.no_grad():
        target = dense(x) - dense[0].bias.view(-1, 1, 1)
        error = (dense(x) - model(x)).square().sum() / target.square().sum()
        weight, layout = dense[0].weight, mst.layout_of(dense[0])
        kept = weight * mst.solve_mask(weight, "2:4", layout=layout)
        shot = nn.functional.conv2d(x, kept, None, 2, 1, groups=2)
        before = (target - shot).square().sum() / target.square().sum()
    assert pruned.layers[0].error == pytest.approx(float(error), rel=1e-3)
    assert pruned.layers[0].one_shot == pytest.approx(float(before), rel=1e-3)


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_attention_with_padding(mode):
    dense = models.Sequences().eval()
    x = related(12, 7, 16)
    random = torch.Generator().manual_seed(0)
    mask = torch.arange(7) < torch.randint(2, 8, (12, 1), generator=random)
    parts = zip(x.split(4), mask.split(4), strict=True)
    batches = [{"x": a, "attention_mask": b} for a, b in parts]
    model = deepcopy(dense)
    pruned = mst.adaprune(model, batches, "4:8", mode=mode)
    assert len(pruned.masks) == 2 * 4
    rows = {row.rows for row in pruned.layers}
    assert rows == {int(mask.sum())}, "padding does not count"
    assert_masked(model, pruned.masks, "4:8", parts=3)
    assert all(row.error < row.one_shot for row in pruned.layers)

    # What stands at positions that do not count makes no difference.
    other = deepcopy(dense)
    for batch in batches:
        batch["x"] = torch.where(batch["attention_mask"].unsqueeze(-1), batch["x"], 100.0)
    mst.adaprune(other, batches, "4:8", mode=mode)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


def test_positions_may_be_told():
    model = nn.Sequential(nn.Linear(16, 16))
    x = related(6, 5, 16)
    pruned = mst.adaprune(model, [x], "4:8", positions=lambda batch: batch[..., 0] > 0)
    assert pruned.layers[0].rows == int((x[..., 0] > 0).sum())


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_what_is_called_again_and_again_counts_each_time(mode):
    model, batches = Recurrent(), [related(10, 6, 8, seed=k) for k in range(2)]
    pruned = mst.adaprune(model, batches, "4:8", mode=mode)
    rows = [(row.name, row.rows) for row in pruned.layers]
    assert rows == [("cell.weight_ih", 120), ("cell.weight_hh", 120)]
    assert all(row.error < row.one_shot for row in pruned.layers)
    assert_masked(model, pruned.masks, "4:8")


def test_a_module_used_twice_is_fitted_to_both_uses():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(16, 16)

        def forward(self, x):
            return self.layer(torch.relu(self.layer(x)))

    pruned = mst.adaprune(Twice(), [related(50, 16)], "4:8")
    assert [row.rows for row in pruned.layers] == [100]


def test_batches_of_any_kind():
    class Two(nn.Module):
        def __init__(self):
            torch.manual_seed(0)
            super().__init__()
            self.layer = nn.Linear(16, 16)

        def forward(self, x, scale=1.0):
            return self.layer(x * scale)

    x = [related(40, 16, seed=k) for k in range(3)]
    kinds = {
        "tensors": x,
        "tuples": [(v,) for v in x],
        "lists": [[v, 1.0] for v in x],
        "mappings": [{"scale": 1.0, "x": v} for v in x],
        "iterator": iter(x),
        "generator": (v for v in x),
        "loader": torch.utils.data.DataLoader(torch.cat(x), 40),
    }
    found = {}
    for kind, batches in kinds.items():
        model = Two()
        assert mst.adaprune(model, batches, "4:8").batches == 3
        found[kind] = model.layer.weight
    model = Two()
    mst.adaprune(model, [{"it": v} for v in x], "4:8", forward=lambda m, batch: m(batch["it"]))
    found["forward"] = model.layer.weight
    assert all(torch.equal(weight, found["tensors"]) for weight in found.values())


def test_the_model_stays_in_the_mode_it_was_in():
    model = nn.Sequential(mlp(), nn.Dropout(0.5))
    model[0].eval()
    flags = [module.training for module in model.modules()]
    fused = torch.backends.mha.get_fastpath_enabled()
    mst.adaprune(model, [related(100, 16)], "4:8")
    assert [module.training for module in model.modules()] == flags
    assert torch.backends.mha.get_fastpath_enabled() == fused
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_first_and_last_may_stay_dense():
    model = mlp()
    ends = [model[0].weight.clone(), model[4].weight.clone()]
    pruned = mst.adaprune(model, [related(100, 16)], "4:8", dense_ends=True)
    assert list(pruned.masks) == ["2.weight"]
    assert dict(pruned.skipped) == {
        "0.weight": "it is the first that the model runs",
        "4.weight": "it is the last that the model runs",
    }
    assert all(map(torch.equal, ends, (model[0].weight, model[4].weight)))


def test_first_and_last_are_those_that_run_so():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.middle, self.first = (nn.Linear(16, 16) for _ in range(3))
            self.unused = nn.Linear(16, 16)

        def forward(self, x):
            return self.last(self.middle(self.first(x)).relu())

    pruned = mst.adaprune(Backwards(), [related(50, 16)], "4:8", dense_ends=True)
    assert list(pruned.masks) == ["middle.weight"]
    assert dict(pruned.skipped)["unused.weight"] == "no batch reaches it"


def test_layers_without_biases_and_biases_left_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16, bias=False), nn.Linear(16, 16))
    bias = model[1].bias.clone()
    pruned = mst.adaprune(model, [related(200, 16)], "4:8", tune_bias=False)
    assert torch.equal(model[1].bias, bias)
    other = nn.Sequential(nn.Linear(16, 16, bias=False), nn.Linear(16, 16))
    torch.manual_seed(0)
    for layer in other:
        layer.reset_parameters()
    tuned = mst.adaprune(other, [related(200, 16)], "4:8")
    assert not torch.equal(other[1].bias, bias)
    assert tuned.layers[1].error < pruned.layers[1].error


@pytest.mark.parametrize("score", ["magnitude", "wanda", "obs"])
def test_scores(score):
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(16, 16))
    x = related(300, 16) * torch.linspace(0.1, 4, 16)
    model = deepcopy(dense)
    pruned = mst.adaprune(model, [x], "4:8", score=score, optimizer="none", absorb_mean=False)
    weight, mask = dense[0].weight.detach(), pruned.masks["0.weight"]
    scores = weight.abs()
    if score == "wanda":
        scores = scores.square() * x.square().mean(0)
    if score == "obs":
        gram = (x.T @ x / len(x)).double()
        gram += 0.01 * gram.diagonal().mean() * torch.eye(16)
        scores = weight.square() / gram.inverse().diagonal()
    best = ms.solve(scores.numpy(), "4:8", score=None)
    assert float(scores[mask].double().sum()) == pytest.approx(best.objective, rel=1e-5)
    assert torch.equal(model[0].weight, weight * mask)


def test_a_score_of_ones_own():
    def signed(layer):
        assert layer.name == "0.weight"
        return layer.weight

    model = nn.Sequential(nn.Linear(16, 16))
    weight = model[0].weight.detach().clone()
    pruned = mst.adaprune(model, [related(50, 16)], "4:8", score=signed, optimizer="none")
    expected = mst.solve_mask(weight, "4:8", score=None)
    assert torch.equal(pruned.masks["0.weight"], expected)


def test_absorbed_means_keep_the_sums_of_lines():
    model = nn.Sequential(nn.Linear(16, 16))
    weight, bias = (p.detach().clone() for p in model.parameters())
    pruned = mst.adaprune(model, [related(50, 16)], "4:8,plain", optimizer="none")
    sums = [w.unflatten(1, (2, 8)).sum(-1) for w in (model[0].weight, weight)]
    torch.testing.assert_close(*sums)
    assert torch.equal(model[0].bias, bias)
    assert pruned.layers[0].error == pytest.approx(pruned.layers[0].absorbed, rel=1e-5)


@pytest.mark.parametrize("method", ["greedy", "two_approx", "local_search"])
def test_other_methods_find_masks_too(method):
    model = nn.Sequential(nn.Linear(16, 16))
    pruned = mst.adaprune(model, [related(50, 16)], "4:8", method=method, remask=3)
    assert_masked(model, pruned.masks, "4:8,at-most")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types(dtype):
    model = mlp().to(dtype)
    pruned = mst.adaprune(model, [related(100, 16).to(dtype)], "4:8")
    assert model[0].weight.dtype == dtype
    assert all(row.error < row.one_shot for row in pruned.layers)


def test_remasking_lowers_the_error():
    found = {}
    for remask in (0, 20):
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(64, 64))
        found[remask] = mst.adaprune(model, [related(500, 64)], "4:8", remask=remask).layers[0]
    assert found[0].moved == 0 < found[20].moved
    assert found[20].error < found[0].error


DEGENERATE = {
    "few rows": related(3, 16),
    "one row": related(1, 16),
    "zeros": torch.zeros(5, 16),
    "always the same": related(1, 16).expand(500, 16),
}


@pytest.mark.parametrize("optimizer", ["least_squares", "adam"])
@pytest.mark.parametrize("ridge", [0, 0.1])
@pytest.mark.parametrize("case", DEGENERATE)
def test_data_that_say_little_do_no_harm(case, ridge, optimizer):
    batches, dense = [DEGENERATE[case]], mlp()
    model = deepcopy(dense)
    pruned = mst.adaprune(model, batches, "4:8", ridge=ridge, optimizer=optimizer, iterations=200)
    assert len(pruned.masks) == 3
    for row in pruned.layers:
        assert row.error <= row.one_shot + 1e-6
    if optimizer == "least_squares":
        assert gap(model, dense, batches) < 1e-3
    most = [max(float(p.detach().abs().max()) for p in m.parameters()) for m in (dense, model)]
    assert most[1] < 10 * most[0]


def test_the_table_and_the_dictionary():
    pruned = mst.adaprune(mlp(), [related(100, 16)], "4:8", dense_ends=True)
    for words in ("2.weight", "32 x 32", "dense: 0.weight, it is the first that the model runs"):
        assert words in str(pruned)
    row = pruned.to_dict()["layers"][0]
    assert row["error"] == pruned.layers[0].error
    assert row["density"] == 0.5
