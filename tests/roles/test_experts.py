"""Which way round stacks of experts lie."""

import pytest

from masksolve.layout import Layout
from masksolve.roles import Facts, judge
from masksolve.roles.experts import expert_layout

OUT_FIRST, IN_FIRST = Layout((1, 2)), Layout((2, 1))
UP, DOWN = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"


def test_the_width_tells_of_types_never_tried():
    facts = Facts.of({"model_type": "of_my_own", "hidden_size": 64})
    assert expert_layout(UP, (8, 96, 64), facts) == (OUT_FIRST, False)
    assert expert_layout(UP, (8, 64, 96), facts) == (IN_FIRST, False)
    assert expert_layout(DOWN, (8, 64, 96), facts) == (OUT_FIRST, False)
    assert expert_layout(DOWN, (8, 96, 64), facts) == (IN_FIRST, False)


def test_unsure_where_nothing_tells():
    square = Facts.of({"hidden_size": 64})
    assert expert_layout(UP, (8, 64, 64), square) == (OUT_FIRST, True)
    assert expert_layout(UP, (8, 96, 64), Facts()) == (OUT_FIRST, True)
    assert expert_layout("mlp.experts.mix", (8, 96, 64), square) == (OUT_FIRST, True)


@pytest.mark.parametrize(
    ("kind", "layout"),
    [("mixtral", OUT_FIRST), ("jetmoe", OUT_FIRST), ("gpt_oss", IN_FIRST), ("llama4", IN_FIRST)],
)
def test_types_tell_what_widths_do_not(kind, layout):
    facts = Facts.of({"model_type": kind, "hidden_size": 64})
    for name in (UP, DOWN):
        assert expert_layout(name, (8, 64, 64), facts) == (layout, False)


def test_a_part_of_a_model_tells_as_well():
    facts = Facts.of({"model_type": "aria", "text_config": {"model_type": "aria_text"}})
    assert expert_layout(UP, (8, 64, 96), facts) == (IN_FIRST, False)


def test_files_of_qwen3_vl_lie_as_their_sides_say():
    config = {"model_type": "qwen3_vl_moe", "text_config": {"hidden_size": 64}}
    assert expert_layout(UP, (8, 64, 96), Facts.of(config)) == (IN_FIRST, False)
    assert expert_layout(UP, (8, 96, 64), Facts.of(config)) == (OUT_FIRST, False)


def test_stacks_of_groups_and_of_codebooks():
    for kind, name, layout in (
        ("convbert", "convbert.encoder.layer.0.intermediate.dense.weight", IN_FIRST),
        ("moshi", "depth_decoder.layers.0.mlp.fc1.weight", OUT_FIRST),
        ("moshi", "depth_decoder.layers.0.self_attn.q_proj.linear.weight", OUT_FIRST),
    ):
        assert judge(name, (8, 64, 48), Facts.of({"model_type": kind}), {name}).layout == layout
