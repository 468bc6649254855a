"""One clear sentence each, and the model as it was."""

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from tests.torch._adaprune.models import mlp, related
from tests.torch.states import unchanged


def batches(number=2):
    return [related(30, 16, seed=k) for k in range(number)]


def not_finite():
    x = related(30, 16)
    x[3, 2] = float("nan")
    return [related(30, 16), x]


DOES_NOT_GO = "does not go through Sequential"
BATCHES = [
    ([], "no calibration batches: expected at least one"),
    (iter(()), "no calibration batches"),
    (torch.randn(4, 16), "got one Tensor: put it in a list"),
    ({"x": torch.randn(4, 16)}, "got one dict: put it in a list"),
    ("text", "got one str"),
    (None, "a list or a loader of batches, got NoneType"),
    ([torch.randn(4, 17)], rf"batch 0, a tensor of shape \(4, 17\), {DOES_NOT_GO}"),
    ([torch.randn(4, 16), torch.randn(4)], r"batch 1, a tensor of shape \(4,\), does not go"),
    ([(torch.randn(4, 16), 3)], f"batch 0, a tuple of 2, {DOES_NOT_GO}: .*argument"),
    ([{"words": 3}], f"batch 0, a mapping of words, {DOES_NOT_GO}"),
    ([3], f"batch 0, a int, {DOES_NOT_GO}"),
    ([torch.randn(0, 16)], "0.weight: no position of any batch counts for it"),
    (not_finite(), "0.weight: its inputs are not all finite in batch 1"),
]


@pytest.mark.parametrize(("given", "said"), BATCHES, ids=[said for _, said in BATCHES])
@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_batches(given, said, mode):
    model = mlp()
    with unchanged(model), pytest.raises(ms.MasksolveError, match=said):
        mst.adaprune(model, given, "4:8", mode=mode)
    assert not any(module._forward_pre_hooks for module in model.modules())


OPTIONS = [
    ({"mode": "both"}, "mode must be one of sequential, parallel, got 'both'"),
    ({"optimizer": "sgd"}, "optimizer must be one of least_squares, adam, none, got 'sgd'"),
    ({"remask": -1}, "remask must be a whole number from 0 up, got -1"),
    ({"optimizer": "adam", "remask": 10, "iterations": 10}, "remask must be less than iterations"),
    ({"iterations": 0}, "iterations must be a whole number from 1 up"),
    ({"batch_size": 2.5}, "batch_size must be a whole number from 1 up, got 2.5"),
    ({"rates": 1e-3}, "rates must be two positive numbers"),
    ({"rates": (1e-3, -1)}, "rates must be two positive numbers"),
    ({"ridge": -0.1}, "ridge must be a number from 0 up, got -0.1"),
    ({"ridge": float("nan")}, "ridge must be a number from 0 up"),
    ({"memory": 0}, "memory must be a whole number from 1 up"),
    ({"score": "size"}, "score 'size' is not known: expected one of magnitude, wanda, obs"),
    ({"score": 3}, "score must be a name or a function, got 3"),
    ({"score": lambda x: x.weight[0]}, "score of 0.weight must be a tensor of the weight's"),
    ({"score": lambda layer: layer.weight * float("nan")}, "score of 0.weight: .*finite"),
    ({"method": "best"}, "best"),
    ({"options": {"sweeps": 3}}, "sweeps"),
    ({"forward": 3}, "forward must be a function, got 3"),
    ({"positions": "all"}, "positions must be a function"),
    ({"positions": lambda batch: 3}, "positions of batch 0 must be a tensor"),
    ({"progress": "bar"}, "progress must be a bool or a function"),
    ({"select": "8"}, "no module's name fits '8'"),
    ({"threads": 0}, "^threads must be a positive integer or None, got 0"),
    ({"checkpoint": 3}, "checkpoint must be the path of a folder, got 3"),
]


@pytest.mark.parametrize(("option", "said"), OPTIONS, ids=[said for _, said in OPTIONS])
def test_options(option, said):
    model = mlp()
    with unchanged(model), pytest.raises(ms.MasksolveError, match=said):
        mst.adaprune(model, batches(), "4:8", **option)


def test_patterns():
    with pytest.raises(ms.InvalidPattern):
        mst.adaprune(mlp(), batches(), "8:4")
    for pattern in ("32:64", mst.ByDensity(8)):  # too large, and all dense
        with pytest.raises(ms.InvalidInput, match="no module of Sequential gets a mask"):
            mst.adaprune(mlp(), batches(), pattern)


def test_models():
    with pytest.raises(ms.InvalidInput, match="model must be a torch module, got list"):
        mst.adaprune([], batches(), "4:8")
    model = nn.Sequential(nn.Linear(16, 16))
    mst.sparsify(model, "4:8")
    with pytest.raises(ms.InvalidInput, match="it has 4:8 masks already"):
        mst.adaprune(model, batches(), "4:8")


class Partly(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(16, 16), nn.Linear(16, 16)
        self.up = nn.ConvTranspose1d(16, 16, 1)

    def forward(self, x):
        return self.up(self.used(x).unsqueeze(-1))


def test_what_cannot_be_pruned_is_left_out_or_refused_by_name():
    pruned = mst.adaprune(Partly(), batches(), "4:8")
    assert dict(pruned.skipped) == {
        "unused.weight": "no batch reaches it",
        "up.weight": "what a ConvTranspose1d multiplies its weight by is not known",
    }
    for select, why in (("unused", "no batch reaches it"), ("up", "what a ConvTranspose1d")):
        with pytest.raises(ms.InvalidInput, match=f"{select}.weight cannot be pruned: {why}"):
            mst.adaprune(Partly(), batches(), "4:8", select=select)
    with pytest.raises(ms.InvalidInput, match=r"no weight is left to prune: .*it is the first"):
        mst.adaprune(Partly(), batches(), "4:8", dense_ends=True)


class Mixed(nn.Module):
    """A layer, experts in a stack, and a head that is the embedding."""

    def __init__(self):
        super().__init__()
        self.embed, self.layer = nn.Embedding(16, 16), nn.Linear(16, 16)
        self.head = nn.Linear(16, 16, bias=False)
        self.head.weight = self.embed.weight
        self.is_transposed, self.experts = False, nn.Parameter(torch.randn(2, 16, 16))

    def forward(self, x):
        return self.head(self.layer(x @ self.experts.sum(0).T))


def test_what_it_cannot_follow_is_named():
    """Of all parameters in two dimensions or more, as for sparsify."""
    pruned = mst.adaprune(Mixed(), batches(), "4:8")
    shared = "it is one parameter under several names: embed.weight, head.weight"
    assert list(pruned.masks) == ["layer.weight"]
    assert dict(pruned.skipped) == {
        "experts": "what a Mixed multiplies its experts by is not known",
        "embed.weight": "an embedding is a lookup, not a product",
        "head.weight": shared,
    }
    assert pruned.to_dict()["masked_share"] == 16 * 16 / (4 * 16 * 16 + 16)
    assert "masks on 24.6 % of the model's parameters" in str(pruned)
    why = "embed.weight has the same numbers, for other inputs"
    with pytest.raises(ms.InvalidInput, match=f"head.weight cannot be pruned: {why}"):
        mst.adaprune(Mixed(), batches(), "4:8", select="head")


class Fickle(nn.Module):
    """Uses a layer twice while the one before gives what it gave at first."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__()
        self.one, self.two = nn.Linear(16, 16), nn.Linear(16, 16)
        self.least = None

    def forward(self, x):
        y = self.one(x)
        if self.least is None:
            self.least = float(y.square().sum())
        again = float(y.square().sum()) == self.least
        return self.two(self.two(y)) if again else self.two(y)


def test_models_that_go_other_ways_once_pruned():
    words = r'two.weight is not called as often.*mode="parallel"'
    with pytest.raises(ms.InvalidInput, match=words):
        mst.adaprune(Fickle(), batches(1), "4:8")
    assert len(mst.adaprune(Fickle(), batches(1), "4:8", mode="parallel").layers) == 2


def test_an_error_of_the_model_is_passed_on():
    def fails(model, batch):
        raise ValueError("the first line\nand a second")

    with pytest.raises(ms.InvalidInput, match=r"Sequential: the first line$") as caught:
        mst.adaprune(mlp(), batches(), "4:8", forward=fails)
    assert isinstance(caught.value.__cause__, ValueError)
