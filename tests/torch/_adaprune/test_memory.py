"""What a run holds beside the model does not grow with the number of layers."""

import gc

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from tests.torch._adaprune.models import related

WIDTH, ROWS = 32, 400
ONE_LAYER = {
    "least_squares": 8 * WIDTH**2,  # a square of its features in double precision
    "adam": 2 * 4 * ROWS * WIDTH,  # its inputs and outputs
}


@pytest.fixture(autouse=True)
def _only_new_objects():
    """Leave all that is there before a test out of the garbage collector's lists."""
    torch.optim.Adam([torch.zeros(1)]).step()  # which imports half of torch when first used
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def live_bytes():
    """Sum up all tensors that are new, each memory once."""
    storages = {}
    for found in gc.get_objects():
        if type(found) in (torch.Tensor, nn.Parameter):
            storage = found.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def most_held(layers, rows=ROWS, **options):
    """Return the most bytes that a run held at any call of a layer, and after any weight.

    Beside the model there are the dense weights and the masks: they are taken off.
    """
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(layers)))
    batches = list(related(20, rows // 20, WIDTH).split(5))
    before, most = live_bytes(), 0

    def look(*_):
        nonlocal most
        most = max(most, live_bytes() - before)

    for layer in model:
        layer.register_forward_hook(look)
    mst.adaprune(model, batches, "4:8", progress=look, **options)
    parameters = sum(p.numel() for p in model.parameters())
    return most - 4 * parameters - layers * WIDTH**2


@pytest.mark.parametrize("optimizer", ONE_LAYER)
@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_one_layer_at_a_time(mode, optimizer):
    asked = {"mode": mode, "optimizer": optimizer, "iterations": 2, "memory": 1, "remask": 1}
    few, many = (most_held(layers, **asked) for layers in (3, 6))
    assert few > ONE_LAYER[optimizer], "a layer's own need is seen"
    assert many < few + ONE_LAYER[optimizer] / 4


def test_parallel_mode_may_be_given_room_for_more():
    # With so few rows that what is kept between two passes does not show.
    one, all_five = (most_held(5, rows=20, mode="parallel", memory=m) for m in (1, 1 << 30))
    assert all_five - one == pytest.approx(4 * ONE_LAYER["least_squares"], rel=0.2)
