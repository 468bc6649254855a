"""Weights whose rows the file keeps in another order."""

import pytest

from masksolve.layout import Layout
from masksolve.roles import Facts, judge


def judged(kind, name, shape):
    return judge(name, shape, Facts.of({"model_type": kind}), {name})


@pytest.mark.parametrize(
    ("kind", "name", "shape"),
    [
        ("inkling_mm_model", "model.llm.layers.0.mlp.experts.w13_weight", (8, 192, 64)),
        ("inkling_mm_model", "model.llm.layers.0.mlp.shared_w13_weight", (2, 192, 64)),
        ("inkling_mm_model", "model.llm.layers.0.mlp.w13_dn.weight", (192, 64)),
        ("kimi_k25", "vision_tower.blocks.0.wqkv.weight", (192, 64)),
        ("mistral_large4", "vision_encoder.layers.0.attention.wq.weight", (64, 64)),
        ("step3p7", "vision.layers.0.attn.in_proj_weight", (192, 64)),
        ("lara_mini", "layers.0.linear_attn.in_proj.weight", (208, 64)),
    ],
)
def test_reordered(kind, name, shape):
    verdict = judged(kind, name, shape)
    assert verdict.layout is not None
    assert verdict.why is None
    assert "at loading" in verdict.regrouped
    assert judged("llama", name, shape).regrouped is None


def test_stacking_leaves_tiles_whole():
    name = "model.layers.0.block_sparse_moe.experts.0.w1.weight"
    assert judged("mixtral", name, (96, 64)) == (Layout(), None, False, None)


def test_parts_are_matrices_of_their_own():
    assert judged("nomic_bert", "layers.0.attn.Wqkv.weight", (192, 64)).layout == Layout(parts=3)
    assert judged("llama", "layers.0.attn.Wqkv.weight", (192, 64)).layout == Layout()
