"""What masked models save by ``save_pretrained``."""

import copy
import pickle

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from tests.torch.states import assert_same
from tests.torch.training.tiny import llama, mixtral


def reloaded(model, folder):
    """The plain model, and what its class did not find or know in the folder."""
    found, report = type(model).from_pretrained(folder, output_loading_info=True)
    return found, {kind: names for kind, names in report.items() if names}


@pytest.mark.parametrize("make", [llama, mixtral, lambda: llama(tie_word_embeddings=True)])
def test_plain_weights_with_the_masks_beside_them(make, tmp_path):
    model = make()
    before = copy.deepcopy(model.state_dict())
    handle = mst.sparsify(model, "2:4")
    model.save_pretrained(tmp_path)
    plain, report = reloaded(model, tmp_path)
    assert report == {}
    assert_same(plain.state_dict(), before)
    assert_same(mst.load_masks(tmp_path / "model.masks"), handle.masks)
    assert any("parametrizations" in name for name in model.state_dict())  # as it was


def test_files_as_of_the_plain_model(tmp_path):
    llama().save_pretrained(tmp_path / "plain")
    model = llama()
    mst.sparsify(model, "2:4")
    model.save_pretrained(tmp_path / "masked")
    plain, masked = (load_file(tmp_path / f / "model.safetensors") for f in ("plain", "masked"))
    assert_same(plain, masked)


def test_shards(tmp_path):
    model = llama()
    before = copy.deepcopy(model.state_dict())
    handle = mst.sparsify(model, "2:4")
    model.save_pretrained(tmp_path, max_shard_size="10KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    plain, report = reloaded(model, tmp_path)
    assert report == {}
    assert_same(plain.state_dict(), before)
    assert_same(mst.load_masks(tmp_path / "model.masks"), handle.masks)


def test_a_state_that_is_given(tmp_path):
    model = llama()
    before = copy.deepcopy(model.state_dict())
    mst.sparsify(model, "2:4")
    model.save_pretrained(tmp_path, state_dict=model.state_dict())
    assert_same(reloaded(model, tmp_path)[0].state_dict(), before)


def test_a_state_that_is_given_stays_as_it_is(tmp_path):
    model = llama()
    mst.sparsify(model, "2:4")
    given = model.state_dict()
    model.save_pretrained(tmp_path, state_dict=given)
    assert_same(given, model.state_dict())


def test_masks_of_a_state_with_zeros(tmp_path):
    model = llama()
    handle = mst.sparsify(model, "2:4")
    model.save_pretrained(tmp_path, state_dict=mst.dense_state_dict(model))
    again = mst.sparsify(reloaded(model, tmp_path)[0], "2:4")
    mst.restore_masks(again)
    assert_same(again.masks, handle.masks)


def test_other_processes_write_nothing(tmp_path):
    model = llama()
    mst.sparsify(model, "2:4")
    model.save_pretrained(tmp_path, is_main_process=False)
    assert list(tmp_path.iterdir()) == []


def test_masks_apply_to_the_weights_beside_them(tmp_path):
    model = llama()
    mst.sparsify(model, "2:4")
    used = mst.dense_state_dict(model)
    model.save_pretrained(tmp_path)
    pruned = tmp_path / "pruned.safetensors"
    ms.apply_masks(tmp_path / "model.safetensors", tmp_path / "model.masks", pruned)
    assert_same(load_file(pruned), {name: used[name] for name in load_file(pruned)})


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_save_their_own(copied, tmp_path):
    model = llama()
    mst.sparsify(model, "2:4")
    twin = copied(model)
    handle = mst.Handle(twin)
    with torch.no_grad():
        handle.layers[0].original.neg_()
    twin.save_pretrained(tmp_path)
    plain, _ = reloaded(model, tmp_path)
    name = handle.layers[0].name
    assert torch.equal(plain.get_parameter(name), handle.layers[0].original)


def test_masks_of_a_ramp_keep_more(tmp_path):
    model = llama()
    handle = mst.sparsify(model, "2:4", warmup=1, ramp=2)
    model.save_pretrained(tmp_path)
    assert {str(m.pattern) for m in ms.load_masks(tmp_path / "model.masks").values()} == {"4:4"}
    handle.steps = 1
    handle.refresh()
    model.save_pretrained(tmp_path)
    assert {str(m.pattern) for m in ms.load_masks(tmp_path / "model.masks").values()} == {"3:4"}


def test_a_model_within_another(tmp_path):
    outer = nn.ModuleDict({"net": llama()})
    handle = mst.sparsify(outer, "2:4")
    outer["net"].save_pretrained(tmp_path)
    names = [name.removeprefix("net.") for name in handle.masks]
    assert list(mst.load_masks(tmp_path / "model.masks")) == names


def test_a_handle_to_the_whole_of_a_masked_part(tmp_path):
    model = llama()
    before = copy.deepcopy(model.state_dict())
    mst.sparsify(model.model, "2:4")
    handle = mst.Handle(model)
    model.save_pretrained(tmp_path)
    plain, report = reloaded(model, tmp_path)
    assert report == {}
    assert_same(plain.state_dict(), before)
    assert list(mst.load_masks(tmp_path / "model.masks")) == list(handle.masks)


def test_a_part_that_was_finalized_alone(tmp_path):
    model = llama()
    handle = mst.sparsify(model.model, "2:4")
    mst.Handle(model)
    handle.finalize()
    model.save_pretrained(tmp_path)
    assert not (tmp_path / "model.masks").exists()


def test_a_finalized_model_saves_as_ever(tmp_path):
    model = llama()
    handle = mst.sparsify(model, "2:4")
    handle.finalize()
    assert "save_pretrained" not in vars(model)
    model.save_pretrained(tmp_path)
    assert not (tmp_path / "model.masks").exists()
    assert_same(reloaded(model, tmp_path)[0].state_dict(), model.state_dict())
