"""Masks from files in models."""

import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import FileFormatError, InvalidInput
from tests.torch.states import assert_same, unchanged
from tests.torch.training.tiny import llama


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a model, and the masks that it had: not those of its weights' magnitudes."""
    folder = tmp_path_factory.mktemp("saved")
    model = llama()
    handle = mst.sparsify(model, "2:4", score=lambda layer: -layer.weight.abs())
    model.save_pretrained(folder)
    return folder, {name: mask.clone() for name, mask in handle.masks.items()}


def sparse(folder, pattern="2:4", **options):
    model = type(llama()).from_pretrained(folder)
    return model, mst.sparsify(model, pattern, **options)


@pytest.mark.parametrize("where", [lambda f: None, lambda f: f, lambda f: f / "model.masks"])
def test_a_model_gets_its_masks_back(saved, where):
    folder, masks = saved
    _, handle = sparse(folder)
    assert any((handle.masks[name] != mask).any() for name, mask in masks.items())
    mst.restore_masks(handle, where(folder))
    assert_same(handle.masks, masks)
    assert handle.history.records == []


def test_a_part_of_what_was_saved(saved):
    folder, masks = saved
    model = type(llama()).from_pretrained(folder)
    handle = mst.sparsify(model.model, "2:4")
    mst.restore_masks(handle, folder, model=model)
    assert_same({f"model.{name}": mask for name, mask in handle.masks.items()}, masks)


def test_another_pattern(saved):
    folder, _ = saved
    model, handle = sparse(folder, "1:4")
    words = r"model\.masks: model\.layers.*: the mask is 2:4: the model's is 1:4 at step 0"
    with unchanged(model), pytest.raises(InvalidInput, match=words):
        mst.restore_masks(handle)


def test_a_warm_up_that_is_not_over(saved):
    model, handle = sparse(saved[0], warmup=3)
    with (
        unchanged(model),
        pytest.raises(InvalidInput, match="is 2:4: the model's is 4:4 at step 0"),
    ):
        mst.restore_masks(handle)
    handle.load_state_dict({"steps": 3})
    mst.restore_masks(handle)


def test_other_weights(saved):
    folder, masks = saved
    model = llama(seed=1)
    handle = mst.sparsify(model, "2:4")
    with unchanged(model), pytest.raises(InvalidInput, match="belongs to other weights"):
        mst.restore_masks(handle, folder)
    mst.restore_masks(handle, folder, force=True)
    assert_same(handle.masks, masks)


def test_other_layers(saved):
    folder, _ = saved
    model, handle = sparse(folder, select="*.up_proj")
    with unchanged(model), pytest.raises(InvalidInput, match="which has none in the model"):
        mst.restore_masks(handle)
    handle.finalize()
    model.save_pretrained(folder / "less")
    handle = mst.sparsify(model, "2:4", select="*.up_proj")
    model.save_pretrained(folder / "less")
    _, handle = sparse(folder / "less")
    with pytest.raises(InvalidInput, match=r"has no mask for model\.layers\.0\.self_attn"):
        mst.restore_masks(handle)


def test_no_masks(saved, tmp_path):
    handle = mst.sparsify(llama(), "2:4")
    with pytest.raises(InvalidInput, match="was not read from a folder here"):
        mst.restore_masks(handle)
    with pytest.raises(FileFormatError, match=r"model\.masks"):
        mst.restore_masks(handle, tmp_path)


def test_without_transformers(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(16, 16))
    handle = mst.sparsify(model, "2:4", score=lambda layer: -layer.weight.abs())
    masks = {name: mask.clone() for name, mask in handle.masks.items()}
    ms.save_masks(tmp_path / "masks.safetensors", mst.masks_of(model))
    handle = mst.Handle(model)
    handle.refresh()
    mst.restore_masks(handle, tmp_path / "masks.safetensors")
    assert_same(handle.masks, masks)
