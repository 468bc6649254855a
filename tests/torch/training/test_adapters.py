"""Adapters on masked weights, with the real library."""

import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from tests.torch.states import assert_same
from tests.torch.training.callbacks.test_huggingface import trainer_of
from tests.torch.training.tiny import llama, mixtral, texts

peft = pytest.importorskip("peft")

TARGETS = ["q_proj", "up_proj"]


def adapted(model, **options):
    """A model with adapters that are not zero, and what each adds to its weight."""
    torch.manual_seed(2)
    settings = {"r": 4, "target_modules": TARGETS, "init_lora_weights": False}
    wrapped = peft.get_peft_model(model, peft.LoraConfig(**(settings | options)))
    layers = dict(wrapped.base_model.model.named_modules())
    deltas = {
        f"{name}.weight": module.get_delta_weight("default").detach()
        for name, module in layers.items()
        if len(getattr(module, "lora_A", ()))
    }
    return wrapped, deltas


@pytest.fixture
def masked():
    model = llama()
    handle = mst.sparsify(model, "2:4", estimator="none")
    return model, handle, {layer.name: layer.used() for layer in handle.layers}


def test_training_moves_the_adapter_alone(masked):
    model, handle, used = masked
    masks = {name: mask.clone() for name, mask in handle.masks.items()}
    wrapped, before = adapted(model)
    optimizer = torch.optim.SGD([p for p in wrapped.parameters() if p.requires_grad], lr=1.0)
    for text in texts(4):
        batch = {name: tokens[None] for name, tokens in text.items()}
        wrapped(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert_same({layer.name: layer.used() for layer in handle.layers}, used)
    assert_same(handle.masks, masks)
    layer = model.get_submodule("model.layers.0.mlp.up_proj")
    delta = layer.get_delta_weight("default")
    assert not torch.equal(delta, before["model.layers.0.mlp.up_proj.weight"])


@pytest.mark.parametrize("safe", [True, False])
def test_merged_weights_obey_the_mask(masked, safe):
    model, handle, used = masked
    wrapped, deltas = adapted(model)
    merged = wrapped.merge_and_unload(safe_merge=safe)
    assert deltas.keys() < used.keys()
    masks = handle.finalize()
    for name, weight in used.items():
        expected = (weight + deltas.get(name, 0)) * masks[name]
        torch.testing.assert_close(merged.get_parameter(name).detach(), expected)
        ms.check_mask(masks[name].numpy(), "2:4")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("OFT", {"oft_block_size": 8, "init_weights": False}),
        ("IA3", {"feedforward_modules": [], "init_ia3_weights": False}),
        ("LoHa", {"init_weights": False}),
        ("Hira", {"init_weights": False}),
        ("Delora", {"init_weights": False}),
    ],
)
def test_adapters_of_other_kinds_merge(masked, kind, options):
    model, handle, _ = masked
    options = options | {"target_modules": ["up_proj"]}
    torch.manual_seed(2)
    layer = model.model.layers[0].mlp.up_proj
    x = torch.randn(8, 32)
    with torch.no_grad():
        base = layer(x)
        wrapped = peft.get_peft_model(model, getattr(peft, f"{kind}Config")(**options))
        wrapped.merge_and_unload()
        assert not torch.equal(layer(x), base)
    handle.finalize()


def test_masks_solved_anew_for_the_merged_weights(masked):
    model, handle, used = masked
    wrapped, deltas = adapted(model)
    merged = wrapped.merge_and_unload()
    handle.refresh()
    masks = handle.finalize()
    for name, delta in deltas.items():
        dense = used[name] + delta
        best = mst.solve_mask(dense, "2:4")
        torch.testing.assert_close((dense.abs() * masks[name]).sum(), (dense.abs() * best).sum())
        torch.testing.assert_close(merged.get_parameter(name).detach(), dense * masks[name])


def test_what_is_unmerged_is_as_before(masked):
    model, handle, used = masked
    wrapped, _ = adapted(model)
    wrapped.merge_adapter()
    wrapped.unmerge_adapter()
    for layer in handle.layers:
        torch.testing.assert_close(layer.used(), used[layer.name])


def test_a_base_that_is_trained_too(masked):
    model, handle, used = masked
    wrapped, deltas = adapted(model)
    wrapped.requires_grad_(True)
    wrapped.merge_and_unload()
    for name, delta in deltas.items():
        expected = (used[name] + delta) * handle.masks[name]
        torch.testing.assert_close(model.get_submodule(name[:-7]).weight, expected)


def test_a_model_that_has_adapters_already():
    wrapped, deltas = adapted(llama())
    handle = mst.sparsify(wrapped, "2:4", select="*.base_layer", estimator="none")
    used = {layer.name: layer.used() for layer in handle.layers}
    masks = {name: mask.clone() for name, mask in handle.masks.items()}
    wrapped.merge_and_unload()
    for layer in handle.layers:
        name = layer.name.removeprefix("base_model.model.").replace(".base_layer", "")
        expected = (used[layer.name] + deltas[name]) * masks[layer.name]
        torch.testing.assert_close(layer.used(), expected)


def test_stacks_of_masked_experts_are_no_targets():
    model = mixtral()
    mst.sparsify(model, "2:4", estimator="none")
    with pytest.raises(ValueError, match="no `target_parameters` found"):
        adapted(model, target_modules=[], target_parameters=["mlp.experts.down_proj"])


def test_adapters_are_saved_alone_and_loaded_on_the_masked_base(masked, tmp_path):
    model = masked[0]
    model.save_pretrained(tmp_path / "base")
    wrapped, _ = adapted(model)
    wrapped.save_pretrained(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.masks").exists()
    base = type(model).from_pretrained(tmp_path / "base")
    mst.restore_masks(mst.sparsify(base, "2:4", estimator="none"))
    again = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
    tokens = texts(2)[0]["input_ids"][None]
    with torch.no_grad():
        assert torch.equal(again(tokens).logits, wrapped(tokens).logits)


def test_a_training_of_adapters_with_the_callback_resumes(tmp_path):
    def train(steps, resume=None):
        handle = mst.sparsify(model := llama(), "2:4", estimator="none")
        wrapped, _ = adapted(model)
        saves = {"save_strategy": "steps", "save_steps": 2, "max_steps": steps}
        trainer = trainer_of(wrapped, tmp_path, mst.HuggingFaceCallback(handle), **saves)
        trainer.train_dataset = texts()
        trainer.train(resume_from_checkpoint=resume)
        return handle, wrapped

    train(2)
    handle, _ = train(4, str(tmp_path / "checkpoint-2"))
    assert handle.steps == 4
    assert_same(handle.masks, mst.sparsify(llama(), "2:4").masks)
    assert not (tmp_path / "checkpoint-4" / "model.masks").exists()
