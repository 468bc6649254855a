"""Inference mode, the meta device, and models that accelerate keeps elsewhere."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.masked import ESTIMATORS
from tests.torch.states import assert_same

accelerate = pytest.importorskip("accelerate")

X = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))


def train(handle, optimizer=None):
    optimizer = optimizer or torch.optim.SGD(handle.model.parameters(), lr=0.1)
    for _ in range(2):
        handle.model(X).square().mean().backward()
        optimizer.step()
        handle.step()


# Inference mode


@pytest.mark.parametrize("estimator", ["ste", "sr_ste", "none"])
def test_training_after_an_evaluation_in_inference_mode(estimator):
    """What the mode makes may be in no training: a mask as a factor was, once it was kept."""
    handle = mst.sparsify(make(), "2:4", estimator=estimator, score="wanda")
    with torch.inference_mode():
        for _ in range(3):
            handle.model(X)
        handle.refresh()
        handle.model(X), handle.model(X)
    train(handle)
    assert handle.steps == 2


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_masks_given_in_inference_mode(estimator):
    outcomes = []
    for mode in (True, False):
        model = make()
        with torch.inference_mode(mode):
            handle = mst.sparsify(model, "2:4", estimator=estimator)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        handle.attach(optimizer)
        for _ in range(2):
            model(X).square().mean().backward()
            optimizer.step()
        outcomes.append(model.state_dict())
    assert_same(*outcomes)


def test_a_model_made_in_inference_mode_can_be_pruned():
    with torch.inference_mode():
        model = make()
        handle = mst.sparsify(model, "2:4")
        masks = handle.finalize()
    for name, mask in masks.items():
        assert torch.equal(model.get_parameter(name) != 0, mask)


def test_masks_copied_in_inference_mode_are_renewed_outside():
    handle = mst.sparsify(make(), "2:4")
    with torch.inference_mode():
        state = handle.model.state_dict().items()
        masks = {name: mask.clone() for name, mask in state if name.endswith("mask")}
    handle.model.load_state_dict(masks, strict=False, assign=True)
    assert handle.layers[0].mask.is_inference()
    train(handle)
    assert not handle.layers[0].mask.is_inference()


# Meta


def test_the_meta_device():
    handle = mst.sparsify(make(), "2:4", score="wanda")
    handle.model.to("meta")
    assert handle.model(X.to("meta")).device.type == "meta"
    handle.model(X.to("meta")).sum().backward()
    for call in (handle.refresh, handle.step):
        with pytest.raises(InvalidInput, match=r"0\.weight is on the meta device, without data"):
            call()
    with pytest.raises(InvalidInput, match=r"the mask of 0\.weight is on the meta device"):
        handle.report()
    assert type(handle.model[0]) is not nn.Linear
    handle.finalize()
    assert type(handle.model[0]) is nn.Linear


# Offloaded


def _cpu(model, folder):
    return accelerate.cpu_offload(model, execution_device=torch.device("cpu"))


def _disk(model, folder):
    return accelerate.disk_offload(model, folder, execution_device=torch.device("cpu"))


def _mixed(model, folder):
    places = {"0": "disk", "1": "cpu", "2": "cpu"}
    return accelerate.dispatch_model(
        model, places, offload_dir=folder, main_device="cpu", force_hooks=True
    )


OFFLOADED = {"cpu": _cpu, "disk": _disk, "mixed": _mixed}
SENTENCE = (
    "it is offloaded by accelerate: call accelerate.hooks.remove_hook_from_module(model, "
    "recurse=True) first, or load the model without offloading, and offload it afterwards"
)


@pytest.fixture(params=OFFLOADED)
def offload(request, tmp_path):
    folders = (str(tmp_path / name) for name in "ab")  # accelerate takes what it finds in one
    return lambda model: OFFLOADED[request.param](model, next(folders))


def test_an_offloaded_model_runs_with_its_masks_and_says_what_else_it_needs(offload):
    handle = mst.sparsify(make(), "2:4", score="wanda")
    before = handle.model(X)
    offload(handle.model)
    assert torch.equal(handle.model(X), before)
    assert "2:4" in str(handle.report())
    for call in (handle.refresh, handle.finalize, lambda: mst.dense_state_dict(handle.model)):
        with pytest.raises(InvalidInput) as error:
            call()
        assert str(error.value) == f"0.weight cannot be read: {SENTENCE}"
    accelerate.hooks.remove_hook_from_module(handle.model, recurse=True)
    handle.refresh()
    train(handle)
    handle.finalize()
    after = handle.model(X)
    offload(handle.model)
    assert torch.equal(handle.model(X), after)


def test_masks_for_a_model_that_is_offloaded(offload):
    model = offload(make())
    with pytest.raises(InvalidInput) as error:
        mst.sparsify(model, "2:4", select="0")
    assert str(error.value).endswith(SENTENCE)
    assert "0.weight" in str(error.value)
