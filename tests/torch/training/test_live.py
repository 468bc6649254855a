"""What becomes of a model behind its handle's back is noticed, and named."""

import copy
import pickle
from unittest import mock

import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.nn.utils import parametrizations, parametrize

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from tests.refusals import says
from tests.torch.states import assert_same, unchanged
from tests.torch.trained import backward, equal, net, optimizer_for, solved, train

LEFT = (
    "detach this handle and go on by Handle(model), with the masks that there are, or "
    "finalize that one and sparsify again"
)
AGAIN = "detach this handle, and sparsify the model again"


def replaced(model):
    model.fc2 = nn.Linear(16, 8)


def deleted(model):
    del model.fc2


def plain_again(model):
    parametrize.remove_parametrizations(model.fc2, "weight")


def prepared(model):
    model.qconfig = quantization.get_default_qat_qconfig()
    with mock.patch("warnings.warn"):  # that it is deprecated
        quantization.prepare_qat(model, inplace=True)


LOST = {
    replaced: "fc2.weight lost its mask by step 2: fc2 is another module now, a "
    "torch.nn.modules.linear.Linear",
    deleted: "fc2.weight lost its mask by step 2: the model has no fc2 any more",
    plain_again: "fc2.weight lost its mask by step 2: its weight is parametrized no more",
    prepared: "fc1.weight lost its mask by step 2: fc1 is another module now, a "
    "torch.ao.nn.qat.modules.linear.Linear",
}


@pytest.mark.parametrize("change", LOST, ids=lambda change: change.__name__)
def test_a_layer_that_is_gone(change):
    model = net()
    handle = mst.sparsify(model, "4:8")
    train(handle, optimizer_for(model), 2)
    change(model)
    with unchanged(model):
        for late in (handle.step, handle.refresh, handle.finalize):
            with says(f"{LOST[change]}; {LEFT}"):
                late()
    assert handle.steps == 2
    mst.Handle(model).refresh()  # as it says


def test_with_an_attached_optimizer():
    model = net()
    optimizer = optimizer_for(model)
    handle = mst.sparsify(model, "4:8", optimizer=optimizer)
    backward(model)
    prepared(model)
    with pytest.raises(InvalidInput, match=r"^fc1\.weight lost its mask by step 0: .*Handle"):
        optimizer.step()
    handle.detach()
    optimizer = optimizer_for(model)
    handle = mst.Handle(model, optimizer=optimizer)
    backward(model)
    optimizer.step()
    assert equal(handle.masks, solved(handle))
    handle.finalize()
    assert type(model.fc1) is torch.ao.nn.qat.Linear


def test_a_part_around_it_and_the_last_one():
    model = nn.Sequential(nn.Sequential(nn.Linear(8, 8)))
    handle = mst.sparsify(model, "4:8")
    model[0] = nn.Linear(8, 8)
    with says(f"0.0.weight lost its mask by step 0: the model has no 0.0 any more; {AGAIN}"):
        handle.refresh()
    mst.sparsify(model, "4:8")


def test_one_of_two_that_share_a_weight():
    model = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 8)})
    model["b"].weight = model["a"].weight
    handle = mst.sparsify(model, "4:8")
    model["b"] = nn.Linear(8, 8)
    with pytest.raises(InvalidInput, match=r"^b\.weight lost its mask"):
        handle.refresh()


def test_a_wrapper_around_a_layer_is_no_loss():
    model = net()
    handle = mst.sparsify(model, "4:8")
    model.fc2 = nn.Sequential(model.fc2, nn.Dropout(0.0))
    train(handle, optimizer_for(model), 2)
    assert equal(handle.masks, solved(handle))
    model.fc2[0] = nn.Linear(16, 8)  # under its new name
    with pytest.raises(InvalidInput, match=r"^fc2\.weight lost its mask by step 2"):
        handle.step()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))])
def test_the_handle_of_a_copy_knows_the_copy(copied):
    handle = mst.sparsify(net(), "4:8")
    twin = copied(handle)
    replaced(handle.model)
    train(twin, optimizer_for(twin.model), 1)
    replaced(twin.model)
    with pytest.raises(InvalidInput, match=r"^fc2\.weight lost its mask by step 1"):
        twin.step()


def test_a_handle_that_was_pickled_before_this():
    handle = mst.sparsify(net(), "4:8")
    state = {key: value for key, value in vars(handle).items() if key != "_links"}
    handle.__setstate__(state)
    replaced(handle.model)
    with pytest.raises(InvalidInput, match=r"^fc2\.weight lost its mask by step 0"):
        handle.refresh()


class Shifted(nn.Module):
    """Leaves nothing zero."""

    def forward(self, weight):
        return weight + 1


def test_what_is_put_on_top_must_keep_the_zeros():
    model = net()
    handle = mst.sparsify(model, "4:8")
    parametrize.register_parametrization(model.fc2, "weight", Shifted())
    sentence = (
        "fc2.weight has a parametrization besides its mask, Shifted, that makes pruned weights "
        "anything but zero: remove it"
    )
    with unchanged(model):
        for late in (handle.step, handle.refresh, handle.finalize):
            with says(sentence):
                late()
        with says(sentence):
            mst.dense_state_dict(model)


def test_spectral_norm_on_top():
    """Which keeps them."""
    model = net()
    handle = mst.sparsify(model, "4:8")
    parametrizations.spectral_norm(model.fc1)
    train(handle, optimizer_for(model), 2)
    assert equal(handle.masks, solved(handle))
    mask = handle.finalize()["fc1.weight"]
    assert torch.equal(model.fc1.weight != 0, mask)


def test_weight_norm_on_top():
    model = net()
    handle = mst.sparsify(model, "4:8")
    parametrizations.weight_norm(model.fc2)
    words = r"^fc2\.weight has a parametrization besides its mask, _WeightNorm, that fails on a"
    with pytest.raises(InvalidInput, match=words):
        handle.refresh()


def test_an_embedding_that_others_resize_in_place():
    """As transformers does: it sets the data of what is worked out for it, and the size."""
    model = nn.ModuleDict({"words": nn.Embedding(16, 8)})
    handle = mst.sparsify(model, "4:8", select="words")
    with pytest.raises(InvalidInput, match=r"resize it before sparsify, or after finalize$"):
        model["words"].weight.data = torch.randn(24, 8)
    model["words"].num_embeddings = 24
    for late in (handle.refresh, handle.finalize):
        with says(
            "words.weight was resized by step 0, from 16 rows to 24, which its mask does not "
            "follow: resize before sparsify, or after finalize"
        ):
            late()


# What is assigned to a masked weight


def stays(kind, pattern="4:8"):
    return (
        f"the weight of this {kind} has {pattern} masks, and stays the parameter that it is: "
        "assign a tensor to set its numbers, and finalize before it is tied, resized, fused or "
        "quantised"
    )


def test_parameters_and_tensors():
    model = net()
    handle = mst.sparsify(model, "4:8")
    fc2, original = model.fc2, handle.layers[-1].original
    with unchanged(model):
        for assigned in (nn.Parameter(torch.randn(8, 16)), model.conv.bias):
            with says(stays("Linear")):
                fc2.weight = assigned
        with says(
            "a weight of shape (8, 16) that has a mask cannot become one of (4, 16): finalize "
            "its handle first"
        ):
            fc2.weight = torch.randn(4, 16)
    fc2.bias = nn.Parameter(torch.zeros(8))  # which has none
    fc2.weight = tensor = torch.randn(8, 16)
    assert handle.layers[-1].original is original
    assert torch.equal(original, tensor)
    handle.finalize()
    fc2.weight = nn.Parameter(torch.zeros(8, 16))


def test_a_copy_takes_no_other_parameter_either():
    layer = nn.Linear(8, 8)
    mst.sparsify(layer, "4:8")
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with says(stays("Linear")):
            twin.weight = nn.Parameter(torch.zeros(8, 8))


class Codes(torch.Tensor):
    """Stands in for the tensors that quantisers put in a weight's place."""


def test_quantised_weights():
    layer = nn.Linear(8, 8)
    handle = mst.sparsify(layer, "4:8")
    codes = torch.zeros(8, 8).as_subclass(Codes)
    with says(stays("Linear")):
        layer.weight = nn.Parameter(codes, requires_grad=False)
    handle.finalize()
    layer.weight = nn.Parameter(codes, requires_grad=False)


def test_fusing_a_convolution_with_its_batch_norm():
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)).eval()
    handle = mst.sparsify(model, "4:8")
    with unchanged(model), says(stays("Conv2d")):
        nn.utils.fusion.fuse_conv_bn_eval(*model)
    masks = handle.finalize()
    fused = nn.utils.fusion.fuse_conv_bn_eval(*model)
    assert_same({"0.weight": fused.weight != 0}, masks)
