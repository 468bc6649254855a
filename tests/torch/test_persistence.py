"""Checkpoints, copies, pickles and averages of sparsified models."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidInput
from tests.torch.states import assert_same, unchanged


def make(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(16, 32),
        nn.BatchNorm1d(32),
        nn.MultiheadAttention(32, 4),
        nn.Sequential(nn.Linear(32, 8), nn.GELU()),
    )


def sparsified(pattern="2:4", seed=0):
    model = make(seed)
    return model, mst.sparsify(model, pattern)


@pytest.fixture
def trained():
    """A model whose masks are not those of a fresh one, and its handle."""
    model, handle = sparsified(seed=1)
    shake(model)
    handle.refresh()
    return model, handle


def shake(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))


def used(model):
    return {layer.name: layer.used() for layer in mst.Handle(model).layers}


# State


def test_state_goes_into_a_fresh_sparsified_model(trained):
    model, handle = trained
    fresh, twin = sparsified()
    fresh.load_state_dict(model.state_dict(), strict=True)
    assert_same(twin.masks, handle.masks)
    assert_same(used(fresh), used(model))


def test_state_assigned_instead_of_copied_is_what_the_layers_use(trained):
    model, handle = trained
    fresh, twin = sparsified()
    used(fresh), used(fresh)  # masks are kept as factors by now
    fresh.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)
    assert_same(twin.masks, handle.masks)
    assert_same(used(fresh), used(model))


def test_a_handle_goes_on_where_it_was(trained):
    _, handle = trained
    _, other = sparsified()
    handle.steps = 7
    other.load_state_dict(handle.state_dict())
    assert other.steps == 7


def test_dense_state_goes_into_a_plain_model(trained):
    model, handle = trained
    plain = make()
    plain.load_state_dict(mst.dense_state_dict(model), strict=True)
    weights = dict(plain.named_parameters())
    for name, mask in handle.masks.items():
        assert torch.equal(weights[name] != 0, mask)
    model.eval()
    plain.eval()
    x = torch.randn(5, 16)
    assert torch.equal(model[0](x), plain[0](x))
    x = torch.randn(3, 2, 32)
    assert torch.equal(model[2](x, x, x)[0], plain[2](x, x, x)[0])


def test_safetensors_hold_the_state(trained, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    model, handle = trained
    safetensors.save_file(model.state_dict(), tmp_path / "state.safetensors")
    fresh, twin = sparsified()
    fresh.load_state_dict(safetensors.load_file(tmp_path / "state.safetensors"))
    assert_same(twin.masks, handle.masks)
    safetensors.save_model(model, tmp_path / "model.safetensors")
    shake(fresh)
    twin.refresh()
    safetensors.load_model(fresh, tmp_path / "model.safetensors")
    assert_same(used(fresh), used(model))


def test_a_file_of_the_state_alone_loads_safely(trained, tmp_path):
    model, _ = trained
    torch.save(model.state_dict(), tmp_path / "state.pt")
    fresh, _ = sparsified()
    fresh.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert_same(used(fresh), used(model))


# Checkpoints that do not fit


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("copied", [lambda m: m, copy.deepcopy, lambda m: repickled(m)])
def test_a_checkpoint_of_another_pattern_is_refused_before_anything_is_loaded(
    trained, strict, copied
):
    model, _ = trained
    other = copied(sparsified("4:8")[0])
    words = r"has 2:4 masks for 0\.weight: .* with 4:8; nothing was loaded"
    with unchanged(other), pytest.raises(InvalidInput, match=words):
        other.load_state_dict(model.state_dict(), strict=strict)


@pytest.mark.parametrize("pattern", ["2:4,plain", "2:4,at-most"])
def test_a_pattern_is_more_than_its_numbers(trained, pattern):
    model, _ = trained
    other, _ = sparsified(pattern)
    with pytest.raises(InvalidInput, match="has 2:4 masks for"):
        other.load_state_dict(model.state_dict())


@pytest.mark.parametrize("strict", [True, False])
def test_a_plain_checkpoint_is_refused_before_anything_is_loaded(trained, strict):
    model, _ = trained
    words = r"has a plain 0\.weight, without a mask: .*before sparsify"
    with unchanged(model), pytest.raises(InvalidInput, match=words):
        model.load_state_dict(make().state_dict(), strict=strict)


def test_a_part_and_a_whole_around_it_refuse_too(trained):
    model, _ = trained
    other, _ = sparsified("1:4")
    around = nn.Sequential(other), nn.Sequential(model)
    for target, source, name in (
        (other[3], model[3], r"0\.weight"),
        (other[0], model[0], "weight"),
        (*around, r"0\.0\.weight"),
    ):
        with unchanged(other), pytest.raises(InvalidInput, match=f"masks for {name}"):
            target.load_state_dict(source.state_dict())


def test_what_is_plain_again_takes_plain_checkpoints(trained):
    model, handle = trained
    handle.finalize()
    model.load_state_dict(make().state_dict(), strict=True)


# Copies and pickles


def repickled(model):
    return pickle.loads(pickle.dumps(model))


def resaved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": repickled,
    "torch.save": resaved,
    "pickle of a deepcopy": lambda model: repickled(copy.deepcopy(model)),
    "deepcopy of a pickle": lambda model: copy.deepcopy(repickled(model)),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_have_masks_of_their_own(trained, copied):
    model, handle = trained
    twin = copied(model)
    others = mst.Handle(twin)
    assert str(twin) == str(model)
    assert_same(others.masks, handle.masks)
    assert_same(used(twin), used(model))
    before = {name: mask.clone() for name, mask in handle.masks.items()}
    shake(twin)
    others.refresh()
    assert_same(before, handle.masks)
    assert not any(torch.equal(others.masks[name], handle.masks[name]) for name in before)
    twin[3](torch.randn(2, 32)).sum().backward()
    assert all(layer.gradient is None for layer in handle.layers)
    assert others.layers[-1].gradient is not None


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("which", ["original", "copy"])
def test_one_made_plain_leaves_the_other(trained, copied, which):
    model, handle = trained
    twin = copied(model)
    others = mst.Handle(twin)
    expected = used(model)
    plain, kept = (model, twin) if which == "original" else (twin, model)
    (handle if which == "original" else others).finalize()
    assert type(plain[0]) is nn.Linear
    assert type(plain[2]) is nn.MultiheadAttention
    assert_same(used(kept), expected)
    mst.Handle(kept).refresh()


def test_a_shallow_copy_shares_weight_and_mask_and_nothing_else(trained):
    model, _ = trained
    layer = model[0]
    twin = copy.copy(layer)
    assert twin.parametrizations.weight.original is layer.parametrizations.weight.original
    assert twin.parametrizations.weight[0].mask is layer.parametrizations.weight[0].mask
    x = torch.randn(3, 16)
    assert torch.equal(twin(x), layer(x))
    mst.Handle(twin).finalize()
    assert type(twin) is nn.Linear
    assert layer.weight.shape == twin.weight.shape
    assert list(layer.parametrizations) == ["weight"]


def test_a_pickled_optimizer_still_trains_the_pickled_model(trained):
    model, _ = trained
    optimizer = torch.optim.AdamW(model.parameters())
    twin, theirs = repickled((model, optimizer))
    trained = theirs.param_groups[0]["params"]
    assert all(a is b for a, b in zip(twin.parameters(), trained, strict=True))
    handle = mst.Handle(twin, optimizer=theirs)
    twin[3](torch.randn(2, 32)).sum().backward()
    theirs.step()
    assert handle.steps == 1


class Peculiar(nn.Linear):
    """A layer that does not pickle all it holds."""

    def __init__(self, *args):
        super().__init__(*args)
        self.scratch = lambda: None

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "scratch"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.scratch = "again"


def test_a_layer_keeps_its_own_way_of_being_pickled():
    model = nn.Sequential(Peculiar(8, 8))
    mst.sparsify(model, "2:4")
    twin = repickled(model)
    assert twin[0].scratch == "again"
    assert_same(used(twin), used(model))


# Averages


def averaged(model, handle, **options):
    """Average over a few steps, each with new masks."""
    average = AveragedModel(model, **options)
    for _ in range(3):
        shake(model)
        handle.refresh()
        average.update_parameters(model)
    return average


@pytest.mark.parametrize("how", [None, get_ema_multi_avg_fn(0.9)])
def test_an_average_gets_masks_of_the_averaged_weights(trained, how):
    model, handle = trained
    average = averaged(model, handle, multi_avg_fn=how)
    before = {name: mask.clone() for name, mask in handle.masks.items()}
    theirs = mst.Handle(average.module)
    theirs.refresh()
    assert_same(before, handle.masks)
    for layer in theirs.layers:
        mask = mst.solve_mask(layer.weight, "2:4", layout=layer.layout)
        kept = layer.weight.abs()
        assert (kept * layer.mask).sum().item() == pytest.approx((kept * mask).sum().item())
    plain = make()
    plain.load_state_dict(mst.dense_state_dict(average.module), strict=True)
    theirs.finalize()
    assert type(model[0]) is not nn.Linear


def test_averaged_buffers_are_put_right_by_a_refresh(trained):
    model, handle = trained
    how = get_ema_multi_avg_fn(0.95)
    average = averaged(model, handle, multi_avg_fn=how, use_buffers=True)
    theirs = mst.Handle(average.module)
    theirs.refresh()
    for layer in theirs.layers:
        matrices = layer.layout.matrices(layer.mask)
        ms.check_mask(matrices.numpy(), "2:4", axes=layer.layout.matrix_axes)
    model.load_state_dict(average.module.state_dict())
    assert_same(used(model), used(average.module))


# Without data


def test_a_model_without_data_is_refused_until_it_has_some():
    with torch.device("meta"):
        model = make()
    with pytest.raises(InvalidInput, match=r"0\.weight: it is on the meta device"):
        mst.sparsify(model, "2:4")
    with pytest.raises(InvalidInput, match=r"0\.weight cannot have 2:4 .* meta device"):
        mst.sparsify(model, "2:4", select="0")
    model.to_empty(device="cpu")
    model.load_state_dict(make().state_dict())
    handle = mst.sparsify(model, "2:4")
    assert_same(handle.masks, sparsified()[1].masks)


def test_a_sparsified_model_that_loses_its_data_says_which_weight(trained):
    model, handle = trained
    state = copy.deepcopy(model.state_dict())
    expected = used(model)
    model.to("meta")
    with pytest.raises(InvalidInput, match=r"0\.weight is on the meta device"):
        handle.refresh()
    model.to_empty(device="cpu")
    model.load_state_dict(state)
    assert_same(used(model), expected)
    handle.refresh()
    assert_same(used(model), expected)


def test_a_model_that_lost_its_data_may_also_begin_anew(trained):
    model, handle = trained
    model.to("meta").to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.reset_parameters()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    handle.refresh()
    fresh, twin = sparsified()
    fresh.load_state_dict(model.state_dict(), strict=True)
    assert_same(twin.masks, handle.masks)
