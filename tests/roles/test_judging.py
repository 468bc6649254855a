"""What is chosen of checkpoints as they are, and along which axes."""

import pytest

from masksolve.layout import Layout
from masksolve.roles import Facts, judge
from tests.roles.checkpoints import ARRAYS, CHECKPOINTS, DBRX, GPT2, GPT_OSS, INNER, WIDTH


def chosen(tensors, facts):
    verdicts = {name: judge(name, shape, facts, set(tensors)) for name, shape in tensors.items()}
    return [name for name, verdict in verdicts.items() if verdict.layout and not verdict.why]


def own(name):
    """Return the own name of a layer, or of a parameter that stands alone."""
    parts = [part for part in name.split(".") if not part.isdigit()]
    return parts[-2] if parts[-1] == "weight" else parts[-1]


def judged(name, shape, config=None, names=()):
    return judge(name, shape, Facts.of(config), {name, *names})


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_checkpoints(kind):
    tensors, wanted = CHECKPOINTS[kind]
    facts = Facts.of({"model_type": kind, "hidden_size": WIDTH, "moe_num_experts": 8})
    assert [own(name) for name in chosen(tensors, facts)] == wanted.split()


@pytest.mark.parametrize("kind", [kind for kind in CHECKPOINTS if kind != "dbrx"])
def test_names_alone_choose_the_same(kind):
    tensors, wanted = CHECKPOINTS[kind]
    assert [own(name) for name in chosen(tensors, Facts())] == wanted.split()


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_what_is_left_out_is_named_or_open(kind):
    tensors, _ = CHECKPOINTS[kind]
    for name, shape in tensors.items():
        verdict = judge(name, shape, Facts(), set(tensors))
        assert verdict.layout or verdict.why or verdict.unsure, name


REASONS = {
    "model.embed_tokens.weight": ((500, 64), "lookup"),
    "lm_head.weight": ((500, 64), "output head"),
    "embed_out.weight": ((500, 64), "output head"),
    "encoder.pos_embed": ((1, 40, 64), "positions"),
    "h.0.attention.relative_attention_bias.weight": ((32, 8), "relative position"),
    "layers.0.mlp.router.weight": ((8, 64), "experts"),
    "layers.0.mlp.shared_expert_gate.weight": ((8, 64), "experts"),
    "experts.gate_up_proj_bias": ((8, 128), "bias"),
    "mixer.A_log": ((128, 16), "state"),
    "norm.weight": ((8, 64), "norm"),
    "layers.0.q_proj.lora_A.default.weight": ((8, 64), "adapter"),
    "conv.parametrizations.weight.original0": ((64, 16), "made of"),
    "conv.weight": ((64, 1, 4), "depthwise"),
    "encoder.mask_token": ((4, 64), "tokens"),
    "vit.cls_token": ((1, 1, 64), "vector"),
    "model.denoising_class_embed.weight": ((81, 64), "lookup"),
    "query.weight": ((100, 64), "tokens"),
    "fc.weight_scale": ((8, 8), "scale"),
    "projector.table": ((64, 64), "parameter of its own"),
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons(name):
    shape, word = REASONS[name]
    verdict = judged(name, shape, names={"other.weight"})
    assert word in verdict.why


def test_a_tied_head_is_named_with_its_embedding():
    config = {"model_type": "llama", "tie_word_embeddings": True}
    assert "output head too" in judged("model.embed_tokens.weight", (500, 64), config).why


def test_the_last_linear_layer_is_no_head():
    for name in ("head.weight", "decoder.weight", "output.weight", "classifier.weight"):
        assert judged(name, (16, 64), names={"fc1.weight"}).why is None


def test_a_common_name_is_a_head_where_words_are():
    words = {"model.embed_tokens.weight"}
    assert "output head" in judged("output.weight", (500, 64), names=words).why
    config = {"vocab_size": 500}
    assert "output head" in judged("output.weight", (500, 64), config, words).why
    assert judged("output.weight", (64, 64), config, words).why is None


def test_a_gate_is_a_router_beside_experts_only():
    gate = "layers.0.mlp.gate.weight"
    assert judged(gate, (64, 64)).why is None
    assert "experts" in judged(gate, (8, 64), names={"layers.0.mlp.experts.0.w1.weight"}).why
    assert judged(gate, (64, 64), names={"layers.1.mlp.experts.0.w1.weight"}).why is None


def test_a_gate_at_the_root():
    assert "experts" in judged("gate.weight", (8, 64), names={"experts.0.w1.weight"}).why


def test_a_layer_of_one_output_is_a_product():
    assert judged("score.weight", (1, 64)) == (Layout(), None, False, None)
    assert judged("conv.weight", (1, 64, 1, 1)) == (Layout(), None, False, None)


def test_bare_parameters_are_weights_only_in_files_of_arrays():
    assert judged("a", (64, 64)).why is None
    assert "of its own" in judged("a", (64, 64), names={"fc.weight"}).why


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("kernel", (64, 32, 3, 3)),
        ("mixture.tables", (8, 64, 64)),
        ("bilinear.weight", (16, 16, 16)),
        ("blocks.0.stack.weight", (8, 64, 48)),
    ],
)
def test_unknown_stacks_are_left_open(name, shape):
    assert judged(name, shape, names={"fc.weight"}) == (None, None, True, None)


def test_a_stack_as_deep_as_experts_is_no_kernel():
    name, config = "blocks.0.stack.weight", {"num_experts": 8}
    assert judged(name, (8, 64, 16)).layout == Layout()
    assert judged(name, (8, 64, 16), config) == (None, None, True, None)
    assert judged("blocks.0.conv.weight", (8, 64, 16), config).layout == Layout()


def test_a_numbered_layer_is_no_table_of_words():
    config = {"vocab_size": 320}
    assert "vocabulary" in judged("model.words.weight", (320, 64), config).why
    for name in ("model.linear_1.weight", "model.layers.0.mix.weight"):
        assert judged(name, (320, 64), config).why is None


def test_bare_buffers_beside_parametrizations():
    other = {"conv.parametrizations.weight.original1"}
    assert "of its own" in judged("quantizer.embed_avg", (64, 64), names=other).why


def test_convolutions():
    assert judged("conv.weight", (64, 32, 3, 3)).layout == Layout()
    assert judged("decoder.upsample.weight", (64, 32, 4)).layout == Layout((1, 0))
    assert judged("decoder.resnet.conv.weight", (64, 32, 3)).layout == Layout()
    assert judged("decoder.upsampler.0.weight", (64, 32, 5)).layout == Layout((1, 0))
    assert judged("neck.fpn1.0.weight", (64, 32, 2, 2)).layout == Layout((1, 0))
    assert judged("neck.patch_embed.weight", (64, 32, 2, 2)).layout == Layout()
    assert judged("layers.0.convtr.weight", (64, 32, 7)).layout == Layout((1, 0))


def test_packed_attention():
    assert judged("attention.in_proj_weight", (192, 64)).layout == Layout(parts=3)


def test_conv1d_of_gpt2():
    for name, shape in GPT2.items():
        if "c_" in name:
            assert judged(name, shape, {"model_type": "gpt2"}).layout == Layout((1, 0))
    for config in (None, {"model_type": "of_my_own"}):  # by their sides
        verdicts = {k: judged(k, v, config) for k, v in GPT2.items() if "c_" in k}
        assert {k for k, v in verdicts.items() if v.unsure} == {"h.0.attn.c_proj.weight"}
        sure = [v.layout for v in verdicts.values() if not v.unsure]
        assert sure == [Layout((1, 0))] * 2


def test_linear_layers_of_gpt2s_names():
    """As GPT-BigCode and GPT-Neo have them."""
    config = {"model_type": "gpt_bigcode"}
    for names, kind in (((192, 64), config), ((64, 64), config), ((192, 64), None)):
        assert judged("h.0.attn.c_attn.weight", names, kind).layout == Layout()
    assert judged("h.0.mlp.c_proj.weight", (64, 256)).layout == Layout()


def test_stacked_experts_of_dbrx():
    config = {"model_type": "dbrx", "ffn_config": {"moe_num_experts": 8}}
    verdicts = [judged(name, shape, config) for name, shape in DBRX.items() if ".mlp." in name]
    assert [v.layout for v in verdicts] == [Layout(parts=8), Layout((1, 0), parts=8)]
    assert verdicts[1].layout.sides((8 * INNER, WIDTH)) == (WIDTH, INNER)
    name = "transformer.blocks.0.ffn.experts.mlp.v1"
    assert judged(name, (8 * INNER, WIDTH)) == (None, None, True, None)


def test_the_axes_of_experts():
    config = {"model_type": "gpt_oss"}
    for name, shape in GPT_OSS.items():
        if name.endswith(("up_proj", "down_proj")):
            assert judged(name, shape, config)[:3] == (Layout((2, 1)), None, False)
            assert judged(name, shape)[:3] == (Layout((1, 2)), None, True)


def test_arrays_have_no_reason_against_them():
    assert all(judged(name, shape).why is None for name, shape in ARRAYS.items())
