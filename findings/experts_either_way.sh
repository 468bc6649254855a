#!/usr/bin/env bash
# Stacks of experts in transformers 5 do not lie one way: in some models inputs come first.
#
# One would guess: experts.gate_up_proj and experts.down_proj are (experts, outputs, inputs), each
# expert as nn.Linear has it, so that N:M masks along the last axis run along what is summed.
# Seen: so it is in Mixtral, Qwen3-MoE, DeepSeek-V3 and OLMoE; but GPT-OSS and Llama 4 have
# (experts, inputs, outputs), under the same names. Where hidden and intermediate sizes are equal,
# as GptOssConfig has them, the shape of down_proj cannot tell.
# Why it matters: a plain 2:4 mask along the last axis of these is along the outputs, where no
# sparse product can use it.
# Way out: ask the model's class, not the name or the shape; a transposable mask serves both ways.
#
# Versions: transformers 5.24.0, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  transformers==5.24.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
import torch
import transformers
from transformers import AutoModelForCausalLM

HIDDEN, INNER = 64, 96
SIZES = {
    "hidden_size": HIDDEN, "intermediate_size": INNER, "moe_intermediate_size": INNER,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16,
    "vocab_size": 128, "num_local_experts": 4, "num_experts": 4, "n_routed_experts": 4,
    "first_k_dense_replace": 0, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2,
}
MODELS = {
    "Mixtral": "outputs", "Qwen3Moe": "outputs", "DeepseekV3": "outputs", "Olmoe": "outputs",
    "GptOss": "inputs", "Llama4Text": "inputs",
}

print("transformers", transformers.__version__, "torch", torch.__version__)
usual = transformers.GptOssConfig()
assert usual.hidden_size == usual.intermediate_size
for name, first in MODELS.items():
    config = getattr(transformers, f"{name}Config")(**SIZES)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    (stack,) = {
        tuple(weight.shape)
        for path, weight in model.named_parameters()
        if path.endswith("experts.down_proj")
    }
    print(f"{name}: experts.down_proj {stack}: {first} first")
    expected = (HIDDEN, INNER) if first == "outputs" else (INNER, HIDDEN)
    assert stack[1:] == expected
print("as found: under one name, experts lie either way")
PYTHON
"$folder/venv/bin/python" finding.py
