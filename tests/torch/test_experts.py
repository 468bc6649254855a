"""Experts of transformers: masks run along what their products sum over."""

from importlib import import_module
from types import SimpleNamespace

import pytest
import torch

import masksolve.torch as mst
from tests.torch.products import Overhear, keeps

pytest.importorskip("transformers", minversion="5.0")
pytestmark = pytest.mark.usefixtures("double")

INNER, OUTER, COUNT = 24, 16, 3  # the sides tell which way round a matrix lies
SIZES = SimpleNamespace(
    hidden_size=OUTER,
    hidden_act="silu",
    num_experts=COUNT,
    num_local_experts=COUNT,
    n_routed_experts=COUNT,
    n_shared_experts=COUNT,
    moe_num_experts=COUNT,
    zero_expert_num=0,
    intermediate_size=INNER,
    moe_intermediate_size=INNER,
    expert_ffn_hidden_size=INNER,
    ffn_hidden_size=INNER,
    ffn_act_fn={"name": "silu"},
    swiglu_alpha=1.7,
    swiglu_limit=7.0,
    _experts_implementation="eager",
)


def routed(experts, x):
    """Send each row to two experts."""
    first = torch.arange(2 * COUNT) % COUNT
    return experts(x, torch.stack([first, (first + 1) % COUNT], 1), torch.ones(2 * COUNT, 2))


EXPERTS = {
    "mixtral.MixtralExperts": routed,
    "qwen3_moe.Qwen3MoeExperts": routed,
    "gpt_oss.GptOssExperts": routed,
    "aria.AriaExperts": routed,
    "dbrx.DbrxExperts": routed,
    "longcat_flash.LongcatFlashExperts": routed,
    "step3p7.Step3p7Experts": routed,
    "llama4.Llama4TextExperts": lambda experts, x: experts(x),
    "inkling.InklingSharedExperts": lambda experts, x: experts(x, torch.ones(2 * COUNT, COUNT)),
}
STACKS = {
    "jetmoe.JetMoeParallelExperts": lambda layer, x: layer(x, [2] * COUNT),
    "convbert.GroupedLinearLayer": lambda layer, x: layer(x.reshape(2, 1, COUNT * OUTER)),
    "moshi.MoshiFlexibleLinear": lambda layer, x: layer(x.reshape(2, COUNT, OUTER)),
}
ARGUMENTS = {
    "jetmoe": (COUNT, OUTER, INNER),
    "convbert": (COUNT * OUTER, COUNT * INNER, COUNT),
    "moshi": (OUTER, INNER, COUNT),
}


class OverhearStacks(Overhear):
    """Hears products of several matrices at once, too."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if str(function) == "aten.bmm.default":
            self.operands += list(args[-1].clone())
        return super().__torch_dispatch__(function, types, args, kwargs)


@pytest.mark.parametrize("text", ["4:8", "2:4,plain"])
@pytest.mark.parametrize("case", [*EXPERTS, *STACKS])
def test_experts(case, text):
    kind, name = case.split(".")
    module = import_module(f"transformers.models.{kind}.modeling_{kind}")
    if not hasattr(module, name):
        pytest.skip(f"this version of transformers has no {name}")
    layer = getattr(module, name)(*ARGUMENTS.get(kind, (SIZES,)))
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    handle = mst.sparsify(layer, text)
    stacked = {name for name, p in layer.named_parameters() if "bias" not in name}
    assert len(handle.masks) == len(stacked)
    x = torch.randn(2 * COUNT, OUTER, requires_grad=True)
    layer.requires_grad_(False)
    with OverhearStacks() as heard:
        y = (EXPERTS | STACKS)[case](layer, x)
        forward, heard.operands = heard.operands, []
        y.backward(torch.ones_like(y))
    n, m = int(text[0]), int(text[2])
    assert len(forward) >= COUNT
    keeps(forward, n, m)
    if "plain" not in text:
        keeps(heard.operands, n, m)
    else:
        with pytest.raises(AssertionError):
            keeps(heard.operands, n, m)
