"""Names and shapes as checkpoints have them, and what is to be pruned of each."""

WIDTH, INNER, WORDS, PLACES = 64, 96, 500, 40

LLAMA = {
    "model.embed_tokens.weight": (WORDS, WIDTH),
    "model.layers.0.self_attn.q_proj.weight": (WIDTH, WIDTH),
    "model.layers.0.mlp.gate_proj.weight": (INNER, WIDTH),
    "model.layers.0.input_layernorm.weight": (WIDTH,),
    "lm_head.weight": (WORDS, WIDTH),
}
MIXTRAL = {
    "model.embed_tokens.weight": (WORDS, WIDTH),
    "model.layers.0.block_sparse_moe.gate.weight": (8, WIDTH),
    "model.layers.0.block_sparse_moe.experts.0.w1.weight": (INNER, WIDTH),
    "model.layers.0.block_sparse_moe.experts.0.w2.weight": (WIDTH, INNER),
    "lm_head.weight": (WORDS, WIDTH),
}
QWEN3_MOE = {
    "model.layers.0.mlp.gate.weight": (8, WIDTH),
    "model.layers.0.mlp.experts.gate_up_proj": (8, 2 * INNER, WIDTH),
    "model.layers.0.mlp.experts.down_proj": (8, WIDTH, INNER),
    "model.layers.0.mlp.shared_expert_gate.weight": (1, WIDTH),
    "model.layers.0.mlp.shared_expert.up_proj.weight": (INNER, WIDTH),
}
DEEPSEEK_V3 = {
    "model.layers.3.mlp.gate.weight": (16, WIDTH),
    "model.layers.3.mlp.gate.e_score_correction_bias": (16,),
    "model.layers.3.mlp.experts.0.gate_proj.weight": (INNER, WIDTH),
    "model.layers.3.mlp.experts.0.gate_proj.weight_scale_inv": (8, 8),
    "model.layers.3.self_attn.kv_a_proj_with_mqa.weight": (48, WIDTH),
}
GPT_OSS = {
    "model.layers.0.mlp.router.weight": (8, WIDTH),
    "model.layers.0.mlp.experts.gate_up_proj": (8, WIDTH, 2 * WIDTH),
    "model.layers.0.mlp.experts.gate_up_proj_bias": (8, 2 * WIDTH),
    "model.layers.0.mlp.experts.down_proj": (8, WIDTH, WIDTH),
    "model.layers.0.self_attn.sinks": (8,),
    "model.layers.0.self_attn.o_proj.weight": (WIDTH, WIDTH),
}
LLAMA4 = {
    "language_model.model.layers.1.feed_forward.router.weight": (8, WIDTH),
    "language_model.model.layers.1.feed_forward.experts.gate_up_proj": (8, WIDTH, 2 * INNER),
    "language_model.model.layers.1.feed_forward.experts.down_proj": (8, INNER, WIDTH),
    "vision_model.positional_embedding_vlm": (PLACES, WIDTH),
    "vision_model.class_embedding": (WIDTH,),
}
JETMOE = {
    "model.layers.0.mlp.router.layer.weight": (8, WIDTH),
    "model.layers.0.mlp.bias": (WIDTH,),
    "model.layers.0.mlp.input_linear.weight": (8, 2 * INNER, WIDTH),
    "model.layers.0.self_attention.experts.output_linear.weight": (8, WIDTH, WIDTH),
}
GRANITEMOE = {
    "model.layers.0.block_sparse_moe.router.layer.weight": (8, WIDTH),
    "model.layers.0.block_sparse_moe.input_linear.weight": (8, 2 * INNER, WIDTH),
    "model.layers.0.block_sparse_moe.output_linear.weight": (8, WIDTH, INNER),
}
DBRX = {
    "transformer.blocks.0.ffn.router.layer.weight": (8, WIDTH),
    "transformer.blocks.0.ffn.experts.mlp.v1": (8 * INNER, WIDTH),
    "transformer.blocks.0.ffn.experts.mlp.w2": (8 * INNER, WIDTH),
    "transformer.blocks.0.norm_attn_norm.norm_1.weight": (WIDTH,),
}
GPT2 = {
    "wte.weight": (WORDS, WIDTH),
    "wpe.weight": (PLACES, WIDTH),
    "h.0.attn.bias": (1, 1, PLACES, PLACES),
    "h.0.attn.c_attn.weight": (WIDTH, 3 * WIDTH),
    "h.0.attn.c_proj.weight": (WIDTH, WIDTH),
    "h.0.mlp.c_proj.weight": (4 * WIDTH, WIDTH),
    "h.0.ln_1.weight": (WIDTH,),
}
BERT = {
    "bert.embeddings.word_embeddings.weight": (WORDS, WIDTH),
    "bert.embeddings.position_embeddings.weight": (PLACES, WIDTH),
    "bert.embeddings.token_type_embeddings.weight": (2, WIDTH),
    "bert.encoder.layer.0.attention.self.query.weight": (WIDTH, WIDTH),
    "bert.pooler.dense.weight": (WIDTH, WIDTH),
    "cls.predictions.transform.dense.weight": (WIDTH, WIDTH),
    "cls.predictions.decoder.weight": (WORDS, WIDTH),
    "cls.predictions.bias": (WORDS,),
}
T5 = {
    "shared.weight": (WORDS, WIDTH),
    "encoder.embed_tokens.weight": (WORDS, WIDTH),
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (32, 8),
    "encoder.block.0.layer.0.SelfAttention.q.weight": (WIDTH, WIDTH),
    "decoder.block.0.layer.2.DenseReluDense.wi_0.weight": (INNER, WIDTH),
}
VIT = {
    "vit.embeddings.cls_token": (1, 1, WIDTH),
    "vit.embeddings.position_embeddings": (1, PLACES, WIDTH),
    "vit.embeddings.patch_embeddings.projection.weight": (WIDTH, 8, 16, 16),
    "vit.encoder.layer.0.output.dense.weight": (WIDTH, INNER),
    "classifier.weight": (16, WIDTH),
}
CLIP = {
    "logit_scale": (),
    "text_model.embeddings.token_embedding.weight": (WORDS, WIDTH),
    "text_model.embeddings.position_embedding.weight": (PLACES, WIDTH),
    "vision_model.embeddings.patch_embedding.weight": (WIDTH, 8, 4, 4),
    "vision_model.pre_layrnorm.weight": (WIDTH,),
    "visual_projection.weight": (WIDTH, WIDTH),
}
WHISPER = {
    "model.encoder.conv1.weight": (WIDTH, 80, 3),
    "model.encoder.embed_positions.weight": (PLACES, WIDTH),
    "model.decoder.embed_tokens.weight": (WORDS, WIDTH),
    "model.decoder.layers.0.encoder_attn.k_proj.weight": (WIDTH, WIDTH),
    "proj_out.weight": (WORDS, WIDTH),
}
MAMBA = {
    "backbone.embeddings.weight": (WORDS, WIDTH),
    "backbone.layers.0.mixer.A_log": (2 * WIDTH, 16),
    "backbone.layers.0.mixer.D": (2 * WIDTH,),
    "backbone.layers.0.mixer.conv1d.weight": (2 * WIDTH, 1, 4),
    "backbone.layers.0.mixer.in_proj.weight": (4 * WIDTH, WIDTH),
}
RWKV = {
    "rwkv.embeddings.weight": (WORDS, WIDTH),
    "rwkv.blocks.0.attention.time_mix_key": (1, 1, WIDTH),
    "rwkv.blocks.0.attention.time_faaaa": (8, 8),
    "rwkv.blocks.0.attention.key.weight": (WIDTH, WIDTH),
    "head.weight": (WORDS, WIDTH),
}
WAV2VEC2 = {
    "wav2vec2.feature_extractor.conv_layers.1.conv.weight": (WIDTH, WIDTH, 3),
    "wav2vec2.encoder.pos_conv_embed.conv.weight_g": (1, 1, 128),
    "wav2vec2.encoder.pos_conv_embed.conv.weight_v": (WIDTH, 16, 128),
    "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1": (WIDTH, 16, 128),
    "wav2vec2.encoder.layers.0.attention.q_proj.weight": (WIDTH, WIDTH),
    "wav2vec2.masked_spec_embed": (WIDTH,),
}
RESNET = {
    "resnet.embedder.embedder.convolution.weight": (WIDTH, 8, 7, 7),
    "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight": (WIDTH, WIDTH, 3, 3),
    "resnet.encoder.stages.0.layers.0.layer.0.normalization.weight": (WIDTH,),
    "classifier.1.weight": (16, WIDTH),
}
MOBILENET = {"layers.0.depthwise.weight": (WIDTH, 1, 3, 3), "layers.0.up.weight": (64, 16, 1, 1)}
SWIN = {
    "layers.0.attention.self.relative_position_bias_table": (49, 8),
    "layers.0.attention.self.query.weight": (WIDTH, WIDTH),
}
ADAPTER = {
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (8, WIDTH),
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": (WIDTH, 8),
}
CELLS = {
    "lstm.weight_ih_l0": (4 * WIDTH, WIDTH),
    "lstm.weight_hh_l0_reverse": (4 * WIDTH, WIDTH),
    "cell.weight_hh": (3 * WIDTH, WIDTH),
    "attention.in_proj_weight": (3 * WIDTH, WIDTH),
    "attention.q_proj_weight": (WIDTH, WIDTH),
    "attention.bias_k": (1, 1, WIDTH),
    "attention.out_proj.weight": (WIDTH, WIDTH),
}
ARRAYS = {"a": (WIDTH, WIDTH), "b": (INNER, WIDTH), "layer1": (8, 8), "kernel": (8, 8, 3, 3)}

CHECKPOINTS = {
    "llama": (LLAMA, "q_proj gate_proj"),
    "mixtral": (MIXTRAL, "w1 w2"),
    "qwen3_moe": (QWEN3_MOE, "gate_up_proj down_proj up_proj"),
    "deepseek_v3": (DEEPSEEK_V3, "gate_proj kv_a_proj_with_mqa"),
    "gpt_oss": (GPT_OSS, "gate_up_proj down_proj o_proj"),
    "llama4": (LLAMA4, "gate_up_proj down_proj"),
    "jetmoe": (JETMOE, "input_linear output_linear"),
    "granitemoe": (GRANITEMOE, "input_linear output_linear"),
    "dbrx": (DBRX, "v1 w2"),
    "gpt2": (GPT2, "c_attn c_proj c_proj"),
    "bert": (BERT, "query dense dense"),
    "t5": (T5, "q wi_0"),
    "vit": (VIT, "projection dense classifier"),
    "clip": (CLIP, "patch_embedding visual_projection"),
    "whisper": (WHISPER, "conv1 k_proj"),
    "mamba": (MAMBA, "in_proj"),
    "rwkv": (RWKV, "key"),
    "wav2vec2": (WAV2VEC2, "conv q_proj"),
    "resnet": (RESNET, "convolution convolution classifier"),
    "mobilenet_v1": (MOBILENET, "up"),
    "swin": (SWIN, "query"),
    "adapter": (ADAPTER, ""),
    "cells": (CELLS, "weight_ih_l0 weight_hh_l0_reverse weight_hh in_proj_weight q_proj_weight"
     " out_proj"),
    "arrays": (ARRAYS, "a b layer1"),
}  # fmt: skip
"""For each its tensors, and the own names of those that are to be pruned, in order."""
