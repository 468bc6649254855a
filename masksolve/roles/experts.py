"""Which way round the stacked weights of experts lie."""

from __future__ import annotations

import re

from masksolve.layout import Layout
from masksolve.roles.facts import Facts

__all__ = ["expert_layout", "is_of_experts"]

INPUT_FIRST = frozenset({
    "aria", "aria_text", "gpt_oss", "llama4", "llama4_text", "openai_privacy_filter",
    "qwen3_vl_moe", "qwen3_vl_moe_text",
})  # fmt: skip
"""Types of models with (experts, in, out)."""
EITHER = frozenset({"qwen3_vl_moe", "qwen3_vl_moe_text"})
"""In files alone, which are transposed at loading if their sides are those."""

STACKED = ("input_linear", "output_linear", "shared_w13_weight", "shared_w2_weight")
"""Names of stacks that say nothing of experts."""

INTO = re.compile(r"(^|_)(gate|up|w1|w3|w13|v1|fc1|input)(_|$)")
"""Names of what takes the width of the model..."""
OUT_OF = re.compile(r"(^|_)(down|w2|fc2|output)(_|$)")
"""...and of what gives it."""


def is_of_experts(path: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a tensor holds a matrix for each expert.

    Examples
    --------
    >>> is_of_experts("model.layers.mlp.experts.gate_up_proj", (8, 128, 64))
    True
    >>> is_of_experts("model.layers.mlp.gate_up_proj", (128, 64))
    False
    """
    if len(shape) != 3:
        return False
    own = path.rsplit(".", 1)[-1]
    return bool(re.search(r"expert|moe", path)) or own in STACKED


def expert_layout(path: str, shape: tuple[int, ...], facts: Facts) -> tuple[Layout, bool]:
    """Return the layout of a matrix for each expert, and whether it might be the other way.

    The width of the model tells, where only one side has it; else the type of the model.

    Examples
    --------
    >>> facts = Facts.of({"model_type": "of_my_own", "hidden_size": 64})
    >>> expert_layout("experts.down_proj", (8, 96, 64), facts)
    (Layout(axes=(2, 1), parts=1), False)
    >>> expert_layout("experts.down_proj", (8, 64, 64), facts)
    (Layout(axes=(1, 2), parts=1), True)
    """
    own = path.rsplit(".", 1)[-1]
    transposed = bool(facts.model_types & INPUT_FIRST) or own.endswith("_projs")
    tried = facts.model_type is not None and facts.known
    if tried and not facts.model_types & EITHER:
        return Layout((2, 1) if transposed else (1, 2)), False
    first, second = (side in facts.widths for side in shape[1:])
    takes, gives = INTO.search(own), OUT_OF.search(own)
    if first != second and (takes or gives):
        return Layout((2, 1) if first == bool(takes) else (1, 2)), False
    return Layout((2, 1) if transposed else (1, 2)), not transposed
