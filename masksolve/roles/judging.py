"""What a tensor is by its name and shape, and how its matrix lies."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from masksolve.layout import Layout
from masksolve.roles.experts import expert_layout, is_stack
from masksolve.roles.facts import Facts
from masksolve.roles.loading import parts_at_loading, regrouped
from masksolve.roles.names import path_of, reason_by_name
from masksolve.roles.verdict import Verdict

__all__ = ["judge"]

VECTOR = "it is a vector or a number, no matrix"
DEPTHWISE = "it is a depthwise convolution: one input to each output, nothing to group"
BARE = "it is a parameter of its own, not the weight of a layer"

INPUT_FIRST = frozenset({
    "clvp", "clvp_decoder", "decision_transformer", "gpt-sw3", "gpt2", "imagegpt", "openai-gpt",
})  # fmt: skip
"""Types of models with GPT-2's Conv1D: linear layers (in, out)."""
CONV1D = re.compile(r"(^|\.)(c_attn|c_proj|c_fc|q_attn)$")

LAYER = re.compile(r"\.weight$|\.parametrizations\.")
"""In a file that has such names, what has none is no layer's weight."""
LAYERS = re.compile(r"(^|[._])[qkv]_proj_weight$|(^|\.)weight_[ih]h(_l\d+)?(_reverse)?$")
"""Weights of attention and of recurrent cells, whose names do not end in ``.weight``."""
TRANSPOSED = re.compile(
    r"(^|[._])(convtr|conv_?t\d|convt_|ups(\.|$)|deconv|conv_?transpose)|(^|\.)upsampler$"
)
UPWARD = re.compile(r"upsampl|upscal|conv_up|decoder|neck|fpn|resize|(^|\.)head\.")
"""Where a convolution is a transposed one if its kernel is even, as a stride's multiple is."""
MOST_KERNEL = 31
"""Longer kernels of one dimension are rare, and rather a side of a matrix."""


def judge(name: str, shape: Sequence[int], facts: Facts, names: Set[str]) -> Verdict:
    """Judge a tensor of a model.

    Parameters
    ----------
    name : str
    shape : sequence of int
    facts : Facts
    names : set of str
        Of all tensors of the model: some are known by their neighbours.

    Examples
    --------
    >>> names = {"embed_tokens.weight", "layers.0.mlp.up_proj.weight"}
    >>> judge("layers.0.mlp.up_proj.weight", (128, 64), Facts(), names).layout
    Layout(axes=(0, 1), parts=1)
    >>> judge("embed_tokens.weight", (512, 64), Facts(), names).why
    'an embedding is a lookup, not a product'
    """
    sides = tuple(shape)
    bare = not name.endswith(".weight") and name != "weight"
    if len(sides) < 2 or (bare and len(sides) > 2 and sum(side != 1 for side in sides) < 2):
        return Verdict(None, VECTOR)
    why = reason_by_name(name, sides, facts, names)
    if why is not None:
        return Verdict(Layout() if len(sides) == 2 else None, why)
    path = path_of(name)
    if path.endswith("in_proj_weight") and sides[0] % 3 == 0 and len(sides) == 2:
        return Verdict(Layout(parts=3), regrouped=regrouped(path, facts))
    if is_stack(path, sides, facts):
        layout, unsure = expert_layout(path, sides, facts)
        return Verdict(layout, unsure=unsure, regrouped=regrouped(path, facts))
    if len(sides) == 2:
        return _matrix(path, sides, facts, bare and any(map(LAYER.search, names)))
    if bare:
        return Verdict(None, BARE if sides[0] == 1 else None, unsure=sides[0] != 1)
    return _kernel(path, sides, facts)


def _matrix(path: str, shape: tuple[int, ...], facts: Facts, bare: bool) -> Verdict:
    """Judge what has two dimensions."""
    if stacked := re.search(r"experts\.mlp\.(w1|v1|w2)$", path):  # DBRX's
        return _stacked(stacked[1], shape, facts)
    if bare and not LAYERS.search(path) and regrouped(path, facts) is None:
        return Verdict(Layout(), BARE)
    if CONV1D.search(path):
        return _conv1d(path, shape, facts)
    return Verdict(Layout(parts=parts_at_loading(path, facts)), regrouped=regrouped(path, facts))


def _stacked(own: str, shape: tuple[int, ...], facts: Facts) -> Verdict:
    """Judge the matrices of all experts, one above the other."""
    fits = [parts for parts in facts.experts if shape[0] % parts == 0]
    if len(fits) != 1:
        return Verdict(None, unsure=True)
    return Verdict(Layout((1, 0) if own == "w2" else (0, 1), parts=fits[0]))


def _conv1d(path: str, shape: tuple[int, ...], facts: Facts) -> Verdict:
    """Tell GPT-2's Conv1D from linear layers of the same names."""
    if facts.model_type is not None and facts.known:
        first = not facts.model_types.isdisjoint(INPUT_FIRST)
        return Verdict(Layout((1, 0) if first else (0, 1)))
    rows, columns = shape if not path.endswith("mlp.c_proj") else reversed(shape)
    return Verdict(Layout((1, 0) if rows < columns else (0, 1)), unsure=rows == columns)


def _kernel(path: str, shape: tuple[int, ...], facts: Facts) -> Verdict:
    """Judge a layer's weight of three or more dimensions."""
    if shape[1] == 1:
        return Verdict(Layout(), DEPTHWISE)
    if len(shape) > 5 or (len(shape) == 3 and not _is_kernel(path, shape, facts)):
        return Verdict(None, unsure=True)
    upward = UPWARD.search(path) and shape[-1] % 2 == 0 and "patch" not in path
    return Verdict(Layout((1, 0) if upward or TRANSPOSED.search(path) else (0, 1)))


def _is_kernel(path: str, shape: tuple[int, ...], facts: Facts) -> bool:
    """Tell a convolution of one dimension from a stack of matrices."""
    if any("conv" in part for part in path.split(".")[-2:]):
        return True
    if shape[0] in facts.experts:
        return False
    return shape[2] < shape[1] and shape[2] <= MOST_KERNEL
