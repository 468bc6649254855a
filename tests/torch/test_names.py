"""All names of modules, and which parameters lie in the same memory."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations as put
from torch.nn.utils import prune, weight_norm

from masksolve.torch.names import Memory, names_of, own_tensors, size_of


def shared(first, second):
    model = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8)})
    whole = torch.randn(16, 8)
    model["a"].weight, model["b"].weight = (nn.Parameter(view(whole)) for view in (first, second))
    return model


VIEWS = {
    "the same": (lambda w: w[:8], lambda w: w[:8], True, True),
    "apart": (lambda w: w[:8], lambda w: w[8:], False, False),
    "in part": (lambda w: w[:8], lambda w: w[4:12], True, False),
    "transposed": (lambda w: w[:8], lambda w: w[:8].T, True, False),
    "by columns": (lambda w: w[:8], lambda w: w[::2], True, False),
}


@pytest.mark.parametrize("case", VIEWS)
def test_memory(case):
    *views, meets, same = VIEWS[case]
    model = shared(*views)
    memory = Memory(model)
    for name, other in ("ab", "ba"):
        weight = model[name].weight
        found = {place.name for place in memory.sharing(weight)}
        assert found == {f"{name}.weight"} | ({f"{other}.weight"} if meets else set())
        assert len(memory.twins(weight)) == 1 + same


@pytest.mark.parametrize("make", [lambda: nn.LazyLinear(8), lambda: nn.Linear(8, 8, device="meta")])
def test_what_has_no_memory_shares_none(make):
    model = nn.Sequential(make(), make())
    memory = Memory(model)
    for layer in model:
        assert [place.module for place in memory.sharing(layer.weight)] == [layer]
    assert size_of(nn.Sequential(nn.LazyLinear(8), nn.Linear(4, 2))) == 10


def test_names_of_a_module_with_several():
    inner = nn.Sequential(nn.Linear(4, 4))
    model = nn.ModuleDict({"one": inner, "two": inner})
    assert names_of(model)[inner[0]] == ["one.0", "two.0"]
    assert size_of(model) == 20


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda layer: None, {"weight", "bias"}),
        (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), {"weight", "bias"}),
        (put.weight_norm, {"weight", "bias"}),
        (put.spectral_norm, {"weight", "bias"}),
        (weight_norm, {"weight_g", "weight_v", "bias"}),
    ],
)
def test_own_tensors(change, names):
    layer = nn.Linear(4, 4)
    change(layer)
    assert {name for name, _ in own_tensors(layer)} == names
