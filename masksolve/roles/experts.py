"""Which way round the stacked weights of experts lie."""

from __future__ import annotations

import re

from masksolve.layout import Layout
from masksolve.roles.facts import Facts

__all__ = ["expert_layout", "is_stack"]

INPUT_FIRST = frozenset({
    "aria", "aria_text", "gpt_oss", "llama4", "llama4_text", "openai_privacy_filter",
    "qwen3_vl_moe", "qwen3_vl_moe_text",
})  # fmt: skip
"""Types of models with (experts, in, out)."""
EITHER = frozenset({"qwen3_vl_moe", "qwen3_vl_moe_text"})
"""In files alone, which are transposed at loading if their sides are those."""

STACKED = ("input_linear", "output_linear", "shared_w13_weight", "shared_w2_weight")
"""Names of stacks that say nothing of experts."""

OTHERS = (
    (("convbert",), r"\b(intermediate|output)\.dense$", (2, 1)),
    (("moshi", "moshi_depth", "kyutai_speech_to_text"),
     r"\b(fc[12]|\w_proj\.linear|input_projections)$", (1, 2)),
)  # fmt: skip
"""Stacks for groups and for codebooks: types of models, names, and axes."""

INTO = re.compile(r"(^|_)(gate|up|w1|w3|w13|v1|fc1|input)(_|$)")
"""Names of what takes the width of the model..."""
OUT_OF = re.compile(r"(^|_)(down|w2|fc2|output)(_|$)")
"""...and of what gives it."""


def is_stack(path: str, shape: tuple[int, ...], facts: Facts) -> bool:
    """Tell whether a tensor holds a matrix for each expert, codebook or group.

    Examples
    --------
    >>> is_stack("model.layers.mlp.experts.gate_up_proj", (8, 128, 64), Facts())
    True
    >>> is_stack("model.layers.mlp.gate_up_proj", (128, 64), Facts())
    False
    """
    if len(shape) != 3:
        return False
    own = path.rsplit(".", 1)[-1]
    named = bool(re.search(r"expert|moe", path)) or own in STACKED
    return named or _by_type(path, facts) is not None


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
    if axes := _by_type(path, facts):
        return Layout(axes), False
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


def _by_type(path: str, facts: Facts) -> tuple[int, int] | None:
    """Return the axes of a stack that is known by its name in one type of model."""
    for types, pattern, axes in OTHERS:
        if not facts.model_types.isdisjoint(types) and re.search(pattern, path):
            return axes
    return None
