"""What scores gather survives copies, pickles, processes and checkpoints, each its own."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.torch.gathering import Gathered
from tests.torch.states import assert_same

SCORES = ("movement", "wanda")


def make(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8))


def batch(step):
    return torch.randn(6, 16, generator=torch.Generator().manual_seed(step))


def train(handle, steps, optimizer=None):
    optimizer = optimizer or torch.optim.SGD(handle.model.parameters(), lr=0.1)
    for step in steps:
        optimizer.zero_grad()
        handle.model(batch(step)).square().mean().backward()
        optimizer.step()
        handle.step()


def scores(handle):
    return {layer.name: handle._score(layer).clone() for layer in handle.layers}


def trained(score):
    handle = mst.sparsify(make(), "4:8", score=score)
    train(handle, range(3))
    assert not torch.equal(scores(handle)["0.weight"], handle.layers[0].weight.abs())
    return handle


def saved(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "torch.save": saved,
    "pickle of a deepcopy": lambda thing: pickle.loads(pickle.dumps(copy.deepcopy(thing))),
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copied_model_has_its_own(copied, score):
    handle = trained(score)
    before = scores(handle)
    twin = mst.Handle(copied(handle.model), score=score)
    assert_same(scores(twin), before)
    train(twin, range(5, 8))
    assert_same(scores(handle), before)
    train(handle, range(5, 8))  # the same, each seen once
    assert_same(scores(twin), scores(handle))
    assert equal_masks(twin, handle)


def equal_masks(one, other):
    return all(torch.equal(one.masks[name], mask) for name, mask in other.masks.items())


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copied_handle_has_its_own(copied, score):
    handle = trained(score)
    before = scores(handle)
    twin = copied(handle)
    assert_same(scores(twin), before)
    train(twin, range(5, 8))
    assert_same(scores(handle), before)
    train(handle, range(5, 8))
    assert_same(scores(twin), scores(handle))
    twin.finalize()
    assert not any(module._forward_pre_hooks for module in twin.model.modules())
    train(handle, [8])


def test_a_bare_copy_teaches_nobody_else():
    """It has the hook that sees inputs, and no handle."""
    handle = trained("wanda")
    before = scores(handle)
    twin = copy.deepcopy(handle.model)
    twin(100 * batch(0))
    assert_same(scores(handle), before)
    theirs = mst.Handle(twin, score="wanda")
    assert not torch.equal(scores(theirs)["0.weight"], before["0.weight"])
    mst.Handle(twin).finalize()  # by a handle that knows of no inputs
    assert not any(module._forward_pre_hooks for module in twin.modules())
    twin(batch(0))


def _in_another_process(models, queue):
    torch.set_num_threads(1)
    for score, model in models.items():
        handle = mst.Handle(model, score=score)
        queue.put({name: value.tolist() for name, value in scores(handle).items()})
        with torch.no_grad():
            model(batch(0) * 100)
            for layer in handle.layers:
                layer.original.grad = torch.ones_like(layer.weight)
                handle._score.observe(layer)
    queue.put(None)


def test_another_process_has_its_own():
    """Torch lets processes share the memory of what it sends: nothing is written to it."""
    handles = {score: trained(score) for score in SCORES}
    before = {score: scores(handle) for score, handle in handles.items()}
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    models = {score: handle.model for score, handle in handles.items()}
    process = context.Process(target=_in_another_process, args=(models, queue))
    process.start()
    for score in SCORES:
        there = queue.get(timeout=300)
        assert_same({name: torch.tensor(value) for name, value in there.items()}, before[score])
    assert queue.get(timeout=300) is None
    process.join()
    for score, handle in handles.items():
        assert_same(scores(handle), before[score])


# Checkpoints


@pytest.mark.parametrize("score", SCORES)
def test_a_checkpoint_has_it(score):
    handle = trained(score)
    state = copy.deepcopy(handle.model.state_dict())
    expected = scores(handle)
    train(handle, range(5, 8))
    other = mst.sparsify(make(1), "4:8", score=score)
    train(other, range(2))
    for each in (handle, other):
        each.model.load_state_dict(state)
        assert_same(scores(each), expected)
    plain = make(2)
    plain.load_state_dict(mst.dense_state_dict(handle.model))  # a plain one has none


def test_checkpoints_of_other_scores_and_of_none():
    handle = trained("movement")
    plain, wanda = (mst.sparsify(make(), "4:8", score=s) for s in ("magnitude", "wanda"))
    plain.model.load_state_dict(handle.model.state_dict())
    again = mst.sparsify(make(), "4:8", score="movement")
    again.model.load_state_dict(plain.model.state_dict())  # through one that does not use it
    assert_same(scores(again), scores(handle))
    train(wanda, range(2))
    wanda.model.load_state_dict(handle.model.state_dict())  # then it begins anew
    assert torch.equal(scores(wanda)["0.weight"], wanda.layers[0].weight.abs())
    part = {"0.bias": torch.ones(32)}
    handle.model.load_state_dict(part, strict=False)  # of a part, the rest stays
    assert_same(scores(again), scores(handle))


def test_a_checkpoint_that_does_not_fit():
    handle = trained("wanda")
    state = handle.model.state_dict()
    state["0.parametrizations.weight.0.gathered.wanda"] = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"score gathered, of shape \(3,\) for wanda: .*\(16,\)"):
        handle.model.load_state_dict(state)


def test_an_average_has_its_own():
    handle = trained("wanda")
    average = torch.optim.swa_utils.AveragedModel(handle.model)
    before = scores(handle)
    average(batch(0) * 10)
    average.update_parameters(handle.model)
    assert_same(scores(handle), before)


# By itself


def test_what_lost_its_data_is_nothing():
    handle = trained("movement")
    state = copy.deepcopy(handle.model.state_dict())
    twin = copy.deepcopy(handle.model).to("meta")
    theirs = mst.Handle(twin, score="movement")
    twin.to_empty(device="cpu")
    twin.load_state_dict(state)
    assert_same(scores(theirs), scores(handle))


def test_masks_that_were_pickled_before():
    (masked,) = mst.sparsify(nn.Linear(8, 8), "2:4").model.parametrizations.weight
    state = masked.__getstate__()
    del state["gathered"]
    older = object.__new__(type(masked))
    older.__setstate__(state)
    assert list(older.gathered.save()) == []
    with pytest.raises(AttributeError, match="wanda"):
        _ = Gathered().wanda
