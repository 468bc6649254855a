"""What is no matrix of a product, by its name."""

from __future__ import annotations

import re
from collections.abc import Set

from masksolve.roles.facts import Facts

__all__ = ["path_of", "reason_by_name"]

EMBEDDING = "an embedding is a lookup, not a product"
HEAD = "it is the output head, as wide as the vocabulary"
POSITIONS = "it is a table of positions"
RELATIVE = "it is a table of biases by relative position"
ROUTER = "it sends tokens to experts"
NORM = "it scales what a norm gives"
BIAS = "it is a bias"
SCALE = "it is a scale or a shift"
STATE = "it is a table of a state's own constants"
TOKENS = "it is a table of learned tokens"
ADAPTER = "it is a low-rank factor of an adapter"
PARAMETRIZED = "it is what a weight is made of, not the weight"

ROLES = tuple(
    (why, re.compile(pattern))
    for why, pattern in (
        (ADAPTER, r"(^|\.)lora[._]"),
        (PARAMETRIZED, r"(^|\.)parametrizations\.|(^|[._])weight_[gv]$"),
        (RELATIVE, r"(^|\.)rel\w*_bias\w*$|attention_biases$|(^|\.)bias_values$"),
        (POSITIONS, r"(^|[._])w[pP]e$|(^|\.)pe_k$"
         r"|(^|[._])(pos|positions?|positional)_?(emb|embed|embeds|embedding|embeddings|enc)"
         r"(_layer|_table|_window|_vlm)?$|(^|\.)embed_positions?$|(^|\.)(rel_pos|relative_pos)\w*$"
         r"|(^|[._])positional_encoding$|(^|\.)position_bias$"),
        (BIAS, r"(^|[._])bias(es)?(_[uv]|_values)?$|(^|[._])pos_bias_[uv]$"),
        (SCALE, r"(^|[._])(scales?|shift|scale_inv|amax|absmax|zeros|gamma|layer_scale(_?\d)?)$"),
        (STATE, r"\.[AD]$|(^|\.)(A_log|dt_bias|conv_state|ssm_state|alpha"
         r"|time_(mix|decay|first|maa|faaaa)\w*)$"),
        (NORM, r"(norm|Norm)\d*$|(^|\.)(ln|bn)(_?\d*|_\w+)$|(^|\.)grn$"),
        (ROUTER, r"(^|[._])router(\.|$)|(^|\.)shared_experts?_gate$|(^|\.)moe\.gate$"),
        (HEAD, r"lm_heads?(\.decoder)?$|(^|\.)predictions\.decoder$|(^|\.)pred_layer\.proj$"
         r"|(^|\.)log_softmax\.mlp\.layer0$"
         r"|(^|\.)(embed_out|output_projection|vocab_projector|codebooks_head|codec_head"
         r"|unembed\w*)$"),
        (EMBEDDING, r"(^|[._])wte$|(^|\.)shared$|(^|\.)codebooks?$|[eE]mbedder(_\d+)?$"
         r"|(^|\.)embed_(\w+_)?(tokens|in|global|timestep)(_per_layer)?$"
         r"|(^|[._])(emb|embed|embeds|embedding|embeddings)(_layers?|_table|_\d+)?$"
         r"|(^|\.)(tokens|label|class)_embed$|(^|\.)(query_feat|queries_features)$"
         r"|(^|\.)reference_points$|(^|\.)audio\.encoder$"),
        (TOKENS, r"_tokens?$|(^|\.)(latents?(_query|_\dd)?|probe|prompt\w*)$"),
    )
)  # fmt: skip
"""Each tried in turn on a path: a name without numbers, and without its last ``.weight``."""

PRODUCTS = re.compile(
    r"(^|[._])patch_(embed|embedding|embeddings)$"
    r"|(^|\.)(mask_embedder|cond_embed|(enc_out_)?class_embed)$"
    r"|(^|\.)(decoder_embed|predictor_embeddings|relative_pos_embeddings)$"
    r"|(^|\.)patch_generator\.(video_)?embedder$"
    r"|(^|\.)xpath_unitseq2_embeddings$|_linear_embeddings$|(^|\.)vision_embed_tokens$"
)
"""Layers that are named like tables."""

LAST = re.compile(r"^((model|transformer|\w+_model)\.)?(head|output|proj_out|decoder)$")
"""Names of heads that are also those of other layers: heads where words are embedded."""
WORDS = re.compile(
    r"(^|[._])(embed_tokens|wte|word_embeddings?|tok_embeddings|token_embeddings?|embed_in|emb"
    r"|embeddings|shared)\.weight$"
)


def path_of(name: str) -> str:
    """Leave out of a name its numbers and the last ``weight``.

    Examples
    --------
    >>> path_of("model.layers.0.mlp.up_proj.weight"), path_of("weight"), path_of("A_log")
    ('model.layers.mlp.up_proj', 'weight', 'A_log')
    """
    parts = [part for part in name.split(".") if not part.isdigit()]
    return ".".join(parts[:-1] if parts[-1:] == ["weight"] and len(parts) > 1 else parts)


def reason_by_name(name: str, shape: tuple[int, ...], facts: Facts, names: Set[str]) -> str | None:
    """Say why a tensor of two or more dimensions is no matrix of a product.

    Examples
    --------
    >>> names = {"h.0.mlp.gate.weight", "h.0.mlp.experts.0.w1.weight"}
    >>> [reason_by_name(name, (8, 64), Facts(), names) for name in sorted(names)]
    [None, 'it sends tokens to experts']
    """
    path = path_of(name)
    layer = name.endswith(".weight")
    if layer and PRODUCTS.search(path):
        return None
    for why, pattern in ROLES:
        if pattern.search(path) and not (layer and len(shape) > 2 and why is EMBEDDING):
            return _tied(why, facts)
    if _is_gate(name, names):
        return ROUTER
    if name == "query.weight" and "key.weight" not in names:  # of a detector, not of attention
        return TOKENS
    if layer and len(shape) == 2:
        if LAST.search(path) and _words(shape[0], facts, names):
            return HEAD
        return _by_size(name, shape, facts)
    return None


def _tied(why: str, facts: Facts) -> str:
    return f"{why}; it is the output head too" if facts.tied and why is EMBEDDING else why


def _is_gate(name: str, names: Set[str]) -> bool:
    """Tell a gate of experts by what stands beside it."""
    before, gate, _ = f".{name}".rpartition(".gate.")
    return bool(gate) and any(f".{other}".startswith(f"{before}.experts.") for other in names)


def _words(rows: int, facts: Facts, names: Set[str]) -> bool:
    """Tell whether rows may be words: the configuration knows, or there is a lookup."""
    if facts.vocabularies:
        return rows in facts.vocabularies
    return any(WORDS.search(other) for other in names)


def _by_size(name: str, shape: tuple[int, ...], facts: Facts) -> str | None:
    """Judge a layer by its number of rows: modules may have been renamed."""
    tried = facts.model_type is not None and facts.known  # its routers are known by name
    if not tried and facts.unmistakable(shape[0], facts.experts):
        return ROUTER
    if any(part[-1:].isdigit() for part in name.split(".")):
        return None  # one of many layers: tables of words and of places stand alone
    if facts.unmistakable(shape[0], facts.vocabularies):
        return _tied("its rows are the vocabulary: an embedding, or an output head", facts)
    if facts.unmistakable(shape[0], facts.positions):
        return POSITIONS
    return None
