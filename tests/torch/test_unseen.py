"""An architecture that the code never saw, its modules renamed, ends right or named."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.torch.layouts import layouts_of

WIDTHS = (16, 24, 40)
CONFIG = {"model_type": "unseen", "vocab_size": 144, "max_position_embeddings": 112}
PATTERN = "4:8"


class Bare(nn.Module):
    """Holds one parameter of its own: a table, or experts."""

    def __init__(self, name, *shape):
        super().__init__()
        setattr(self, name, nn.Parameter(torch.empty(shape)))


class Adapter(nn.Module):
    """A low-rank update of a linear layer."""

    def __init__(self, a, b):
        super().__init__()
        self.base_layer = nn.Linear(a, b)
        self.lora_A, self.lora_B = nn.Linear(a, 8, bias=False), nn.Linear(8, b, bias=False)


PARTS = {
    "linear": lambda a, b, name: nn.Linear(a, b),
    "no multiple": lambda a, b, name: nn.Linear(a + 3, b),
    "convolution": lambda a, b, name: nn.Conv2d(a, b, 3),
    "depthwise": lambda a, b, name: nn.Conv1d(a, a, 3, groups=a),
    "embedding": lambda a, b, name: nn.Embedding(CONFIG["vocab_size"], a),
    "positions": lambda a, b, name: Bare(name, CONFIG["max_position_embeddings"], a),
    "head": lambda a, b, name: nn.Linear(a, CONFIG["vocab_size"], bias=False),
    "experts": lambda a, b, name: Bare(name, 3, a, b),
    "bilinear": lambda a, b, name: nn.Bilinear(a, b, 16),
    "adapter": lambda a, b, name: Adapter(a, b),
    "attention": lambda a, b, name: nn.MultiheadAttention(a, 2),
    "cell": lambda a, b, name: nn.LSTMCell(a, b),
    "norm": lambda a, b, name: nn.LayerNorm(a),
}
WORDS = st.text("bdfgkmqvxz", min_size=3, max_size=6)  # no name that is known anywhere


@st.composite
def models(draw):
    """Draw a model of random parts with random names, one linear layer among them."""
    names = draw(st.lists(WORDS, min_size=2, max_size=6, unique=True))
    model, holder = nn.Module(), nn.Module()
    model.config = SimpleNamespace(to_dict=lambda: CONFIG)
    for k, name in enumerate(names):
        kind = draw(st.sampled_from(list(PARTS))) if k else "linear"
        a, b = draw(st.sampled_from(WIDTHS)), draw(st.sampled_from(WIDTHS))
        (holder if draw(st.booleans()) else model).add_module(name, PARTS[kind](a, b, name))
    model.add_module(draw(WORDS.filter(lambda word: word not in names)), holder)
    lookups = [m for m in model.modules() if isinstance(m, nn.Embedding)]
    if lookups and draw(st.booleans()):
        lookups[0].add_module("tied", nn.Linear(*reversed(lookups[0].weight.shape), bias=False))
        lookups[0].tied.weight = lookups[0].weight
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model


@pytest.fixture
def solve_file(tmp_path):
    """Return what solves a model's file, with its result and the weights that it leaves."""

    def solve(model):
        source, target = tmp_path / "model.safetensors", tmp_path / "pruned.safetensors"
        (tmp_path / "config.json").write_text(json.dumps(CONFIG))
        save_file({name: p.detach().numpy() for name, p in model.named_parameters()}, source)
        result = ms.solve_checkpoint(source, target, PATTERN, apply=True)
        return result, load_file(target)

    return solve


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(model=models())
def test_both_ways_choose_the_same_or_name_what_they_do_not(solve_file, model):
    result, pruned = solve_file(model)
    weights = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    owners = {
        f"{prefix}.{name}": layout
        for prefix, module in model.named_modules()
        for name, layout in layouts_of(module).items()
    }
    handle = mst.sparsify(model, PATTERN)
    named = {"file": dict(result.skipped), "module": dict(handle.skipped)}
    chosen = {"file": set(result.records), "module": set(handle.masks)}
    for name, values in weights.items():
        for way in chosen:
            assert (name in chosen[way]) != (name in named[way] or values.ndim < 2), (way, name)
        if name in chosen["file"] & chosen["module"]:
            zeros, layout = pruned[name] == 0, owners[name]
            assert np.array_equal(~zeros, handle.masks[name].numpy())
            assert ms.is_valid(layout.matrices(~zeros), PATTERN, axes=layout.matrix_axes)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(model=models())
def test_what_is_no_matrix_of_a_product_is_chosen_by_neither(solve_file, model):
    sizes = {CONFIG["vocab_size"], CONFIG["max_position_embeddings"]}
    tables = {name for name, p in model.named_parameters() if p.ndim == 2 and sizes & {*p.shape}}
    factors = {name for name, _ in model.named_parameters() if "lora_" in name}
    result, _ = solve_file(model)
    handle = mst.sparsify(model, PATTERN)
    assert not (tables | factors) & (set(result.records) | set(handle.masks))
