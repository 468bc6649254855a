"""Averages of models and of their states obey their patterns, or are refused."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn

import masksolve.torch as mst
from masksolve.errors import InvalidInput, MaskViolation
from masksolve.pattern import Pattern
from masksolve.torch.layer import masked_layers
from masksolve.torch.masked import encode
from masksolve.torch.validity import breach, breach_of
from tests.torch.states import assert_same, unchanged
from tests.torch.trained import equal, keeps, net, optimizer_for, snapshot, solved, train

MASK = "conv.parametrizations.weight.0.mask"
CODE = "conv.parametrizations.weight.0.code"
KEPT = r"row \d, columns 0 to 7, keeps [5-8] of 8: 4:8 takes at most 4"
BROKEN = rf"conv\.weight breaks its pattern, as averages of masks do: matrix \(\d,\), {KEPT}; "


def training(pattern="4:8", **options):
    """A training whose masks move at every step."""
    model = net()
    handle = mst.sparsify(model, pattern, **options)
    return handle, optimizer_for(model, lr=1.0)


def averaged(handle, optimizer, steps=6, **options):
    average = AveragedModel(handle.model, **options)
    train(handle, optimizer, steps, each=lambda h: average.update_parameters(h.model))
    return average


# Averaged models


HOW = {
    "ema": {"avg_fn": get_ema_avg_fn(0.9)},
    "multi ema": {"multi_avg_fn": get_ema_multi_avg_fn(0.9)},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_averaged_buffers(how):
    handle, optimizer = training()
    average = averaged(handle, optimizer, use_buffers=True, **how).module
    with unchanged(average), pytest.raises(MaskViolation, match=BROKEN + r"Handle\(model\) solves"):
        mst.dense_state_dict(average)
    with unchanged(handle.model), pytest.raises(MaskViolation, match=BROKEN + "nothing was loaded"):
        handle.model.load_state_dict(average.state_dict())
    theirs = mst.Handle(average)
    assert equal(theirs.masks, solved(theirs))
    dense = mst.dense_state_dict(average)
    masks = theirs.finalize()
    keeps(handle, 4)
    for name, mask in masks.items():
        assert torch.equal(dense[name] != 0, mask)


def test_a_handle_whose_masks_were_averaged_since():
    """As callbacks do it, behind torch's back and the handle's."""
    handle, optimizer = training()
    average = averaged(handle, optimizer, use_buffers=True, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for ours, theirs in zip(handle.model.buffers(), average.module.buffers(), strict=True):
        ours.data.copy_(theirs.data)
    with (
        unchanged(handle.model),
        pytest.raises(MaskViolation, match=BROKEN + "refresh solves it anew"),
    ):
        handle.finalize()
    handle.refresh()
    masks = handle.finalize()
    assert torch.equal(handle.model.fc1.weight != 0, masks["fc1.weight"])


@pytest.mark.parametrize("how", [{}, *HOW.values()], ids=["mean", *HOW])
def test_without_buffers_masks_are_the_models_last(how):
    handle, optimizer = training()
    average = averaged(handle, optimizer, **how).module
    before = snapshot(handle)
    theirs = mst.Handle(average)
    assert equal(theirs.masks, before)
    handle.model.load_state_dict(average.state_dict())
    theirs.refresh()
    assert equal(theirs.masks, solved(theirs))
    assert equal(before, handle.masks)


def test_an_average_that_began_in_the_warm_up():
    """Its masks keep everything ever after, as those of a warm-up do."""
    handle, optimizer = training(warmup=3)
    how = {"use_buffers": True, "multi_avg_fn": get_ema_multi_avg_fn(0.9)}
    average = averaged(handle, optimizer, steps=12, **how).module
    assert all(layer.mask.all() for layer in masked_layers(average))
    with pytest.raises(MaskViolation):
        mst.dense_state_dict(average)
    theirs = mst.Handle(average, warmup=100)
    assert all(mask.all() for mask in theirs.masks.values())
    theirs = mst.Handle(average)
    theirs.refresh()
    keeps(theirs, 4)


def test_masks_that_are_put_in_for_an_evaluation_are_used():
    """With ``.data``, which torch does not count, between two changes of the mode."""
    layer = nn.Linear(8, 8, bias=False)
    handle = mst.sparsify(layer, "4:8")
    x = torch.eye(8)
    layer(x), layer(x)  # the mask is kept as a factor by now
    layer.eval()
    handle.masks["weight"].data.copy_(~handle.masks["weight"])
    assert torch.equal(layer(x).T, handle.layers[0].weight * handle.masks["weight"])


# Loops over states


def mean(*states):
    return {k: torch.stack([s[k] for s in states]).double().mean(0) for k in states[0]}


def ema(*states):
    found = copy.deepcopy(states[0])
    for state in states[1:]:
        found = {k: 0.999 * v + 0.001 * state[k] for k, v in found.items()}
    return found


def in_place(*states):
    found = copy.deepcopy(states[0])
    for state in states[1:]:
        for key, value in found.items():
            value.copy_(0.9 * value + 0.1 * state[key])
    return found


def united(*states):
    return states[0] | {k: states[0][k] | states[1][k] for k in states[0] if k.endswith("mask")}


def states_of(pattern="4:8", **options):
    handle, optimizer = training(pattern, **options)
    states = []
    train(handle, optimizer, 6, lambda h: states.append(copy.deepcopy(h.model.state_dict())))
    return states


@pytest.mark.parametrize("average", [mean, ema, in_place, united])
@pytest.mark.parametrize("pattern", ["4:8", "4:8,at-most", "4:8,plain"])
@pytest.mark.parametrize("options", [{}, {"strict": False}, {"assign": True}], ids=str)
def test_averaged_states(average, pattern, options):
    state, model = average(*states_of(pattern)), net()
    mst.sparsify(model, pattern)
    words = r"^the checkpoint's mask for conv\.weight breaks its pattern, .*; nothing was loaded$"
    with unchanged(model), pytest.raises(MaskViolation, match=words) as caught:
        model.load_state_dict(state, **options)
    assert caught.value.kept > 4
    around = nn.Sequential(model)
    words = words.replace("conv", r"0\.conv")
    with unchanged(model), pytest.raises(MaskViolation, match=words):
        around.load_state_dict({f"0.{key}": value for key, value in state.items()}, **options)


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("average", [mean, ema, in_place])
def test_averages_of_one_mask(average, assign):
    """They are that mask, whatever their dtype."""
    states = states_of(refresh_every=100)
    model = net()
    handle = mst.sparsify(model, "4:8")
    model.load_state_dict(average(*states), assign=assign)
    assert torch.equal(handle.masks["conv.weight"], states[0][MASK])
    assert equal(handle.masks, mst.Handle(model).masks)
    mst.dense_state_dict(model)


def test_weights_alone():
    """The recipe: the rest of a state is a model's own."""
    states, model = states_of(), net()
    handle = mst.sparsify(model, "4:8")
    weights = mean(*states)
    model.load_state_dict(
        {
            k: v if k.rsplit(".")[-1] in ("mask", "code") else weights[k]
            for k, v in states[-1].items()
        }
    )
    handle.refresh()
    assert equal(handle.masks, solved(handle))


# Checkpoints whose masks belong to another pattern


@pytest.mark.parametrize("without_code", [False, True])
def test_masks_of_another_pattern(without_code):
    """In a checkpoint that says it is ours, or does not say."""
    state, others = states_of()[-1], states_of("6:8")[-1]
    state |= {key: value for key, value in others.items() if key.endswith("mask")}
    if without_code:
        state = {key: value for key, value in state.items() if not key.endswith("code")}
    model = net()
    mst.sparsify(model, "4:8")
    words = r"mask for conv\.weight .* keeps 6 of 8: 4:8 takes at most 4; nothing was loaded"
    with unchanged(model), pytest.raises(MaskViolation, match=words):
        model.load_state_dict(state, strict=False)


@pytest.mark.parametrize("code", [[8, 4, 1, 0], [4, 8, 1], [4, 8, 1, float("nan")]], ids=str)
def test_codes_of_no_pattern(code):
    state, model = states_of()[-1], net()
    mst.sparsify(model, "4:8")
    words = r"^the checkpoint's masks for conv\.weight are of no pattern: .*; nothing was loaded$"
    with unchanged(model), pytest.raises(InvalidInput, match=words):
        model.load_state_dict(state | {CODE: torch.tensor(code)})


@pytest.mark.parametrize("pattern", ["4:8", "4:8,at-most"])
@pytest.mark.parametrize("method", ["exact", "greedy"])
@pytest.mark.parametrize("score", ["magnitude", "gradient"])
def test_masks_on_the_way_to_their_pattern(pattern, method, score):
    """Of a warm-up and of a ramp: they are loaded, and go on from there."""
    options = {"warmup": 2, "ramp": 4, "method": method, "score": score}
    for state in states_of(pattern, **options):
        model = net()
        handle = mst.sparsify(model, pattern, **options)
        model.load_state_dict(state)
        assert torch.equal(handle.masks["conv.weight"], state[MASK])
        assert_same(model.state_dict(), state)
        copied = mst.Handle(copy.deepcopy(model))
        assert equal(copied.masks, handle.masks)
        mst.dense_state_dict(model)
        copied.finalize()


def test_checkpoints_of_before_masks_told_their_n():
    """They go on from a ramp, and their unions are refused as far as they can be told."""
    states, model = states_of(warmup=2, ramp=4), net()
    mst.sparsify(model, "4:8")
    old = {k: encode(Pattern(4, 8)) for k in states[0] if k.endswith("code")}
    for state in states:
        model.load_state_dict(state | old)
    with pytest.raises(MaskViolation):
        model.load_state_dict(united(*states_of()) | old)


def test_a_mask_is_looked_at_once_a_load(monkeypatch):
    """However deep it lies."""
    model = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(8, 8))))
    mst.sparsify(model, "4:8")
    seen = []
    monkeypatch.setattr(
        "masksolve.torch.persistence.breach", lambda *given: seen.append(breach(*given))
    )
    model.load_state_dict(model.state_dict())
    assert seen == [None]


def test_no_data():
    """There is nothing to look at then."""
    model = net()
    mst.sparsify(model, "4:8")
    model.to("meta")
    assert {breach_of(layer.masked) for layer in masked_layers(model)} == {None}
    assert model.state_dict()[MASK].is_meta
