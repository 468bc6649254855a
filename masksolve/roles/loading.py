"""Weights that a file keeps in another order than the model that is made of it.

Most are renamed or stacked at loading, which leaves tiles whole. Here is what is not, as
transformers 5 loads it.
"""

from __future__ import annotations

import re

from masksolve.roles.facts import Facts

__all__ = ["parts_at_loading", "regrouped"]

INTERLEAVED = "its rows are interleaved in the file, and set apart at loading"
ROTATED = "its rows are put in another order at loading, for rotary positions"
UNEVEN = "its rows are split at loading into parts that need be no multiples"

REORDERED = (
    (("inkling_mm_model", "inkling_text", "inkling2", "inkling2_text", "inkling2_loop",
      "inkling2_loop_text"), r"w13_(weight|dn)$", INTERLEAVED),
    (("kimi_k25", "kimi_k25_vision"), r"\bwqkv$", ROTATED),
    (("step3p7", "step3p5_vision"), r"\battn\.in_proj_weight$", ROTATED),
    (("mistral_large4",), r"\battention\.w[qk]$", ROTATED),
    (("gradium_phonon_tts",), r"\bself_attn\.in_proj$", ROTATED),
    (("lara_mini",), r"\blinear_attn\.in_proj$", UNEVEN),
)  # fmt: skip
"""Types of models, names, and what happens."""

SPLIT = (
    (("radio", "qianfan_ocr", "qianfan_ocr_vision", "tipsv2", "tipsv2_vision_model"),
     r"\battn\.qkv$", 3),
    (("nomic_bert", "jina_embeddings_v3"), r"\bWqkv$", 3),
    (("gte", "unlimited_ocr"), r"\bqkv_proj$", 3),
    (("kimi_k25", "kimi_k25_vision"), r"\bwqkv$", 3),
    (("nemo_speechlm",), r"\battn\.w_qkv$", 3),
    (("gradium_phonon_tts",), r"\bself_attn\.in_proj$", 3),
    (("hrm_text",), r"\battn\.gqkv_proj$", 4),
    (("hrm_text",), r"\bmlp\.gate_up_proj$", 2),
    (("gte",), r"\bmlp\.up_gate_proj$", 2),
    (("dinov2", "dinov2_with_registers"), r"\bmlp\.weights_in$", 2),
    (("sapiens2", "tipsv2", "tipsv2_vision_model"), r"\b(ffn|mlp)\.w12$", 2),
    (("molmo2", "molmo2_text"), r"\bmlp\.ff_proj$", 2),
)  # fmt: skip
"""Types of models, names, and into how many equal parts they are split."""


def regrouped(path: str, facts: Facts) -> str | None:
    """Say why tiles of a file's tensor are none of the model's, if they are not.

    Examples
    --------
    >>> regrouped("model.mlp.w13_dn", Facts.of({"model_type": "inkling_text"}))
    'its rows are interleaved in the file, and set apart at loading'
    >>> regrouped("model.mlp.w13_dn", Facts.of({"model_type": "llama"})) is None
    True
    """
    for types, pattern, what in REORDERED:
        if not facts.model_types.isdisjoint(types) and re.search(pattern, path):
            return what
    return None


def parts_at_loading(path: str, facts: Facts) -> int:
    """Return into how many equal parts a tensor's first axis is split.

    Examples
    --------
    >>> parts_at_loading("encoder.attn.Wqkv", Facts.of({"model_type": "nomic_bert"}))
    3
    """
    for types, pattern, parts in SPLIT:
        if not facts.model_types.isdisjoint(types) and re.search(pattern, path):
            return parts
    return 1
