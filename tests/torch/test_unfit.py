"""What a model's parameters are for, where that speaks against masks."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from tests.refusals import says

LOOKUP = "an embedding is a lookup, not a product"
HEAD = "it is the output head, as wide as the vocabulary"


class Talks(nn.Module):
    """Of names that say nothing; which is the head, the model knows."""

    def __init__(self, tell):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(8, 8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.tell = tell

    def get_output_embeddings(self):
        return self.tell(self)


def raises(model):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("tell", "heads"),
    [
        (lambda model: model.second, ["second"]),
        (lambda model: [model.first, model.third], ["first", "third"]),
        (lambda model: None, []),
        (raises, []),
    ],
)
@pytest.mark.parametrize("wrap", [lambda model: model, nn.Sequential])
def test_the_head_is_what_the_model_says(wrap, tell, heads):
    """Wherever it stands; the last linear layer is as good as any."""
    handle = mst.sparsify(wrap(Talks(tell)), "4:8")
    assert [(name.split(".")[-2], why) for name, why in handle.skipped] == [
        (name, HEAD) for name in heads
    ]
    assert len(handle.masks) == 3 - len(heads)


class Patches(nn.Module):
    """What it calls its input embedding is a convolution, or a table that is none of torch's."""

    def __init__(self, embedding):
        super().__init__()
        self.start, self.layer = embedding, nn.Linear(8, 8)

    def get_input_embeddings(self):
        return self.start


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 8))


def test_input_embeddings():
    handle = mst.sparsify(Patches(nn.Conv2d(8, 8, 2)), "4:8")
    assert list(handle.masks) == ["start.weight", "layer.weight"]
    handle = mst.sparsify(Patches(Table()), "4:8")
    assert handle.skipped == [("start.weight", LOOKUP)]


class Config:
    """As transformers' are."""

    def __init__(self, **sizes):
        self.sizes = sizes

    def to_dict(self):
        return self.sizes


@pytest.mark.parametrize("as_config", [lambda **sizes: sizes, Config])
def test_the_configuration_is_asked(as_config):
    model = nn.ModuleDict({"a": nn.Linear(8, 48), "b": nn.Linear(8, 8)})
    model.config = as_config(vocab_size=48, hidden_size=8)
    handle = mst.sparsify(model, "4:8")
    (name, why), *others = handle.skipped
    assert name == "a.weight"
    assert "vocabulary" in why
    assert not others


class Everything(nn.Module):
    """What is passed over by name."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 16)
        self.lm_head = nn.Linear(16, 32)
        self.router = nn.Linear(16, 8)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(16, 8)})
        self.depthwise = nn.Conv1d(8, 8, 3, groups=8)
        self.position_embedding = nn.Parameter(torch.randn(8, 16))
        self.relative_attention_bias = nn.Embedding(8, 8)
        self.A_log = nn.Parameter(torch.randn(16, 8))
        self.attention = nn.MultiheadAttention(16, 2, add_bias_kv=True)
        self.norm = nn.LayerNorm(16)
        self.gru = nn.GRU(16, 16)


MASKED = ["layer.weight", "attention.in_proj_weight", "attention.out_proj.weight"]


def test_what_is_named():
    """Every parameter of two dimensions or more has a mask, or a line that says why not."""
    model = Everything()
    handle = mst.sparsify(model, "4:8")
    assert sorted(handle.masks) == sorted(MASKED)
    named = dict(handle.skipped)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and not name.endswith(".original"):
            assert name in named, name
    assert len(named) == len(handle.skipped)
    assert handle.report().masked_share == pytest.approx(
        sum(mask.numel() for mask in handle.masks.values())
        / sum(parameter.numel() for parameter in model.parameters())
    )


@pytest.mark.parametrize("name", ["lm_head", "router", "lora_A.default", "relative_attention_bias"])
def test_what_is_selected_gets_masks_all_the_same(name):
    assert list(mst.sparsify(Everything(), "4:8", select=name).masks) == [f"{name}.weight"]


def test_what_shares_only_a_part_of_its_memory():
    model = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8), "c": nn.Linear(8, 8)})
    whole = torch.randn(12, 8)
    model["a"].weight, model["b"].weight = nn.Parameter(whole[:8]), nn.Parameter(whole[4:])
    handle = mst.sparsify(model, "4:8")
    assert handle.skipped == [
        ("a.weight", "it shares memory with b.weight"),
        ("b.weight", "it shares memory with a.weight"),
    ]
    handle.finalize()
    with says("a.weight cannot have 4:8 masks: it shares memory with b.weight"):
        mst.sparsify(model, "4:8", select="a")


def test_two_parameters_of_the_same_memory_get_one_mask():
    model = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8)})
    model["b"].weight = nn.Parameter(model["a"].weight.detach())
    handle = mst.sparsify(model, "4:8", select="b")
    (mask,) = handle.masks.values()
    assert torch.equal(model["a"].weight != 0, mask)
    assert torch.equal(model["b"].weight != 0, mask)
    handle.finalize()
    assert torch.equal(model["a"].weight, model["b"].weight)
    assert torch.equal(model["a"].weight != 0, mask)
