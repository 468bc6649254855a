"""Masks of models: from and to files, tensors, and the buffers of torch.nn.utils.prune."""

import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import prune

import masksolve as ms
import masksolve.torch as mst


def make(seed=0):
    torch.manual_seed(seed)
    convolution = nn.Sequential(nn.Conv2d(8, 12, 3, groups=2))
    return nn.Sequential(nn.Linear(16, 8), convolution, nn.LayerNorm(8))


@pytest.fixture
def pruned():
    """A model that torch.nn.utils.prune gave 2:4 masks, as anyone would."""
    model = make()
    for module, layout in ((model[0], mst.Layout()), (model[1][0], mst.Layout(parts=2))):
        mask = mst.solve_mask(module.weight, "2:4", layout=layout)
        prune.custom_from_mask(module, "weight", mask)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "masks"


def expected(model):
    return {"0.weight": model[0].weight_mask.bool(), "1.0.weight": model[1][0].weight_mask.bool()}


def assert_masks(found, masks):
    assert found.keys() == masks.keys()
    for name, mask in masks.items():
        theirs = found[name]
        theirs = torch.from_numpy(theirs.mask) if isinstance(theirs, ms.StoredMask) else theirs
        assert theirs.dtype == torch.bool
        assert torch.equal(theirs, mask)


# Tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_tensors_to_files_and_back(path, dtype):
    weight = torch.randn(8, 12).to(dtype)
    mask = mst.solve_mask(weight, "2:4")
    for form in (mask, mask.to(dtype), mask.int(), mask.T.contiguous().T):
        stored = mst.stored_mask(form, weight, "2:4", certify=True)
        assert stored.status is ms.Status.OPTIMAL
        ms.save_masks(path, {"w": stored})
        assert_masks(mst.load_masks(path), {"w": mask})
    safetensors.torch.save_file({"w": weight}, path.with_name("model"))
    ms.apply_masks(path.with_name("model"), path, path.with_name("out"))
    found = safetensors.torch.load_file(path.with_name("out"))["w"]
    assert torch.equal(found, weight * mask)


def test_what_is_no_mask_of_the_tensor_is_refused():
    weight = torch.randn(8, 12)
    for mask, pattern, error, words in (
        (torch.ones(8, 12), "2:4", ms.MaskViolation, "keeps 4 of 4"),
        (torch.ones(12, 8), "4:4", ms.InvalidInput, "shape"),
        (torch.ones(8, 12, device="meta"), "4:4", ms.InvalidInput, "meta device"),
        (torch.full((8, 12), 0.5), "4:4", ms.InvalidInput, "0 and 1 only"),
    ):
        with pytest.raises(error, match=words):
            mst.stored_mask(mask, weight, pattern)


# From buffers of prune


def test_from_a_module(pruned, path):
    found = mst.masks_of(pruned, "2:4")
    assert_masks(found, expected(pruned))
    assert found["1.0.weight"].layout == mst.Layout(parts=2)
    for name, stored in found.items():
        weight = pruned.get_parameter(f"{name}_orig").detach()
        stored.check(weight.numpy())
        found_weight = torch.from_numpy(stored.apply(weight.numpy()))
        assert torch.equal(found_weight, pruned.get_submodule(name.rpartition(".")[0]).weight)
    ms.save_masks(path, found)
    assert_masks(mst.load_masks(path), expected(pruned))


@pytest.mark.parametrize("form", ["dict", "safetensors", "torch", "old torch"])
def test_from_a_state_dict_and_from_files_of_one(pruned, path, form):
    state = pruned.state_dict()
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "torch")
    # A state dict does not tell of groups.
    layouts = {"1.0.weight": mst.Layout(parts=2)}
    found = mst.masks_of(state if form == "dict" else path, "2:4", layouts=layouts)
    assert_masks(found, expected(pruned))
    for name, mask in mst.masks_of(pruned, "2:4").items():
        assert found[name].record == mask.record


def test_masks_of_biases_are_left_out(pruned):
    prune.random_unstructured(pruned[0], "bias", 0.5)
    assert_masks(mst.masks_of(pruned, "2:4"), expected(pruned))


def test_names_that_only_look_like_prunes():
    model = nn.Linear(8, 8)
    model.register_buffer("attention_mask", torch.ones(8, 8))
    for given, name in ((model, "Linear"), (model.state_dict(), "OrderedDict")):
        with pytest.raises(ms.InvalidInput, match=f"{name} holds no masks"):
            mst.masks_of(given, "2:4")


def test_masks_of_other_patterns_are_refused_by_name(pruned):
    with pytest.raises(ms.InvalidInput, match=r"mask of 0\.weight: row 0.* 1:4 takes"):
        mst.masks_of(pruned, "1:4")
    with pytest.raises(ms.InvalidInput, match=r"mask of 0\.weight does not tell its pattern"):
        mst.masks_of(pruned)


def test_from_a_sparsified_model(path):
    model = make()
    handle = mst.sparsify(model, {"0": "2:4", "1.0": "1:2"}, select=[nn.Linear, nn.Conv2d])
    found = mst.masks_of(model)
    assert_masks(found, handle.masks)
    patterns = {name: str(m.pattern) for name, m in found.items()}
    assert patterns == {"0.weight": "2:4", "1.0.weight": "1:2"}
    assert found["1.0.weight"].layout.parts == 2
    dense = model[0].parametrizations.weight.original.detach().numpy()
    found["0.weight"].check(dense)
    ms.save_masks(path, found)
    assert_masks(mst.load_masks(path), handle.masks)
    best = ms.solve(dense, "2:4", axes=(0, 1)).objective
    assert found["0.weight"].objective == pytest.approx(best, rel=1e-6)


# To buffers of prune


@pytest.mark.parametrize("given", ["masks", "file"])
def test_to_a_module_and_back(pruned, path, given):
    masks = mst.masks_of(pruned, "2:4")
    ms.save_masks(path, masks)
    model = make()
    assert mst.prune_with(model, path if given == "file" else masks) is None
    theirs, ours = pruned.state_dict(), model.state_dict()
    assert list(theirs) == list(ours)
    for name, value in theirs.items():
        assert torch.equal(value, ours[name])
        assert value.dtype == ours[name].dtype
    x = torch.randn(3, 16)
    assert torch.equal(model[0](x), pruned[0](x))
    prune.remove(model[0], "weight")
    assert torch.equal(model[0].weight != 0, torch.from_numpy(masks["0.weight"].mask))


def test_to_a_state_dict(pruned):
    dense = make().state_dict()
    before = {name: value.clone() for name, value in dense.items()}
    found = mst.prune_with(dense, mst.masks_of(pruned, "2:4"))
    assert found.keys() == pruned.state_dict().keys()
    pruned.load_state_dict(found)
    assert all(torch.equal(dense[name], value) for name, value in before.items())


def test_other_weights_need_force_and_nothing_is_changed(pruned):
    masks = mst.masks_of(pruned, "2:4")
    model = make()
    with torch.no_grad():
        model[1][0].weight[0, 0, 0, 0] += 1
    for target in (model, model.state_dict()):
        with pytest.raises(ms.InvalidInput, match=r"^1\.0\.weight: the mask belongs to other"):
            mst.prune_with(target, masks)
    assert not list(model.named_buffers())
    mst.prune_with(model, masks, force=True)
    assert_masks(mst.masks_of(model, "2:4"), expected(pruned))
    with pytest.raises(ms.InvalidInput, match=r"Sequential has no dense weights '0\.weight'"):
        mst.prune_with(model, masks)
    with pytest.raises(ms.InvalidInput, match=r"0\.weight: the mask has shape"):
        mst.prune_with({"0.weight": torch.ones(8, 8)}, masks, force=True)


# Files that are none


class Trap:
    def __reduce__(self):
        return print, ("loaded",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a whole safetensors"),
        (b"The quick brown fox", "not a whole safetensors"),
        (b"PK\x03\x04 and nothing", "no state dict that can be read safely"),
        (pickle.dumps(Trap(), protocol=2), "no state dict that can be read safely"),
    ],
    ids=["empty", "text", "zip", "pickle"],
)
def test_what_is_no_state_dict_is_refused(path, capsys, content, words):
    path.write_bytes(content)
    with pytest.raises(ms.FileFormatError, match=words) as caught:
        mst.masks_of(path, "2:4")
    assert str(path) in str(caught.value)
    assert capsys.readouterr().out == ""


def test_files_without_masks(path):
    with pytest.raises(ms.FileFormatError, match=r"cannot read .*: No such file"):
        mst.masks_of(path, "2:4")
    torch.save([1, 2], path)
    with pytest.raises(ms.FileFormatError, match="holds no state dict"):
        mst.masks_of(path, "2:4")
    torch.save({"w": torch.ones(4, 4)}, path)
    with pytest.raises(ms.InvalidInput, match=f"{path} holds no masks"):
        mst.masks_of(path, "2:4")


def test_zeros_of_a_finalized_model_are_its_masks():
    model = make()
    handle = mst.sparsify(model, "2:4", select=nn.Linear)
    masks = handle.finalize()
    found = ms.mask_of_zeros(model[0].weight.detach().numpy(), "2:4")
    assert np.array_equal(found, masks["0.weight"].numpy())
