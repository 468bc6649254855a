"""sparsify: what it makes of a model, and that a refused one is left as it was."""

import copy

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidInput, InvalidPattern, UnknownMethod
from tests.refusals import says
from tests.torch.trained import WEIGHTS, backward, net, optimizer_for, train


def portrait(model):
    """All that one can tell a model by: classes, names in order, identities, values, hooks."""
    return {
        "kinds": [(name, type(module)) for name, module in model.named_modules()],
        "names": [name for name, _ in model.named_parameters()],
        "state": [(name, value.clone()) for name, value in model.state_dict().items()],
        "ids": [id(parameter) for parameter in model.parameters()],
        "hooks": [
            len(getattr(module, f"_{kind}_hooks"))
            for module in model.modules()
            for kind in ("forward_pre", "forward", "load_state_dict_pre")
        ],
        "keys": [sorted(vars(module)) for module in model.modules()],
        "needs": [parameter.requires_grad for parameter in model.parameters()],
    }


def same(one, other):
    assert all(
        a == b and torch.equal(x, y)
        for (a, x), (b, y) in zip(one.pop("state"), other.pop("state"), strict=True)
    )
    assert one == other


def test_parameters_stay_the_same_objects():
    model = net()
    before = {name: (id(p), p.detach().clone()) for name, p in model.named_parameters()}
    optimizer = optimizer_for(model)
    handle = mst.sparsify(model, "4:8")
    for layer in handle.layers:
        assert id(layer.original) == before[layer.name][0]
        assert torch.equal(layer.weight, before[layer.name][1])
        assert torch.equal(getattr(layer.module, layer.tensor_name), layer.weight * layer.mask)
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert trained == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("text", ["2:4", "4:8", "2:4,plain", "1:4,at-most", "8:8"])
def test_masks(text):
    model = net()
    handle = mst.sparsify(model, text)
    assert set(handle.masks) == WEIGHTS
    for layer in handle.layers:
        axes = layer.layout.matrix_axes
        ms.check_mask(layer.mask.numpy(), text, axes=axes)
        expected = mst.solve_mask(layer.weight, text, layout=layer.layout)
        assert torch.equal(layer.mask, expected)


def test_method_and_options():
    model, other = net(), net()
    options = {"tries": 2, "seed": 3}
    masks = mst.sparsify(model, "2:4", method="best_random", options=options).masks
    weight = other.fc1.weight
    expected = mst.solve_mask(weight, "2:4", method="best_random", options=options)
    assert torch.equal(masks["fc1.weight"], expected)


def test_mode_and_dtype_are_taken_over():
    model = net().to(torch.bfloat16).eval()
    handle = mst.sparsify(model, "4:8")
    assert not any(module.training for module in model.modules())
    assert model.fc1.weight.dtype == torch.bfloat16
    assert handle.masks["fc1.weight"].dtype == torch.bool


def test_state_names():
    """What a checkpoint holds."""
    model = nn.Sequential(nn.Linear(8, 8))
    mst.sparsify(model, "4:8")
    assert set(model.state_dict()) == {
        "0.bias",
        "0.parametrizations.weight.original",
        "0.parametrizations.weight.0.mask",
        "0.parametrizations.weight.0.code",
    }


def test_it_can_be_trained_from_the_start():
    model = net()
    handle = mst.sparsify(model, "4:8")
    optimizer = optimizer_for(model)
    first = backward(model).item()
    train(handle, optimizer, 30)
    assert backward(model).item() < first


def test_twice():
    model = net()
    mst.sparsify(model, "4:8")
    again = "finalize its handle first, or get another by Handle(model)"
    with says(f"the model is sparsified already: conv.weight has 4:8 masks; {again}"):
        mst.sparsify(model, "2:4")


def test_parts_of_a_model_one_after_the_other():
    model = net()
    one, other = mst.sparsify(model.fc1, "4:8"), mst.sparsify(model.fc2, "2:4")
    assert list(one.masks) == list(other.masks) == ["weight"]
    both = mst.Handle(model)
    assert list(both.masks) == ["fc1.weight", "fc2.weight"]


NOT_MODELS = ["a model", None, nn.Linear, torch.ones(8, 8), dict(net().named_parameters())]


@pytest.mark.parametrize("model", NOT_MODELS, ids=lambda m: type(m).__name__)
def test_what_is_no_model(model):
    with says(f"model must be a torch module, got {type(model).__name__}"):
        mst.sparsify(model, "4:8")


METHODS = ", ".join(ms.METHODS)
RANGES = [
    ("estimator", "one of ste, sr_ste, masked_decay, none", ("srste", None)),
    ("decay", "a number from 0 up", (-1, float("nan"), "2e-4", None)),
    ("refresh_every", "a whole number from 1 up", (0, 2.5, None)),
    ("warmup", "a whole number from 0 up", (-1,)),
    ("ramp", "a whole number from 0 up", ("10",)),
]
OPTIONS = [
    *(
        ({name: value}, f"{name} must be {expected}, got {value!r}")
        for name, expected, values in RANGES
        for value in values
    ),
    ({"method": "magic"}, f"unknown method 'magic'; known are {METHODS}"),
    ({"options": {"luck": 1}}, "method 'exact' has no option 'luck': it takes none"),
    ({"threads": 0}, "threads must be a positive integer or None, got 0"),
    ({"optimizer": "adam"}, "optimizer must be a torch optimizer, got str"),
    ({"writer": "runs/1"}, "writer must have add_scalar, got str"),
    ({"score": "gradients"}, None),
    ({"score": lambda layer: None}, "the score of conv.weight must be a tensor, got NoneType"),
    ({"pattern": "8:4"}, "pattern '8:4' keeps 8 of 4: n must be at most m"),
    ({"pattern": "4:8,plain", "method": "greedy"}, None),
    ({"select": "fc9"}, "no module's name fits 'fc9': the model has conv, fc1, fc2"),
]


@pytest.mark.parametrize(("options", "sentence"), OPTIONS)
def test_a_refused_model_is_as_before(options, sentence):
    model = net()
    before = portrait(model)
    with pytest.raises((InvalidInput, InvalidPattern, UnknownMethod)) as error:
        mst.sparsify(model, **{"pattern": "4:8", **options})
    if sentence is not None:
        assert str(error.value) == sentence
    assert "\n" not in str(error.value)
    same(before, portrait(model))


class Breaks(ms.MasksolveError):
    """Somebody's score gives up."""


@pytest.mark.parametrize("where", ["score", "watch", "nan", "optimizer"])
def test_refused_in_the_middle(where):
    """After some layers were prepared, looked at or solved: nothing of it is left."""
    model, other = net(), net()
    options = {"optimizer": optimizer_for(model)}
    if where == "nan":
        with torch.no_grad():
            model.fc2.weight[3, 5] = torch.nan
    elif where == "optimizer":
        options["optimizer"] = optimizer_for(other)
        options["score"] = "wanda"
    else:
        options["score"] = _Breaking(where)
    before = portrait(model)
    with pytest.raises((InvalidInput, Breaks)) as error:
        mst.sparsify(model, "4:8", **options)
    if where == "nan":
        said = "fc2.weight at step 0: weights[3, 5] is nan: scores must be finite"
        assert str(error.value) == f"{said}; all masks stay as they were"
        before["state"] = [(k, v.nan_to_num()) for k, v in before["state"]]
        with torch.no_grad():
            model.fc2.weight.nan_to_num_()
    if where == "optimizer":
        assert str(error.value) == "the optimizer does not train conv.weight"
    same(before, portrait(model))
    assert not options["optimizer"]._optimizer_step_pre_hooks
    assert not options["optimizer"]._optimizer_step_post_hooks
    backward(model)
    optimizer_for(model).step()


class _Breaking:
    def __init__(self, where):
        self.where = where

    def watch(self, layer):
        if self.where == "watch" and layer.name == "fc2.weight":
            raise Breaks
        return layer.module.register_forward_hook(lambda *_: None)

    def __call__(self, layer):
        if layer.name == "fc2.weight":
            raise Breaks
        return layer.weight


def test_a_model_of_several_tensors_in_one_module():
    """The order of parameters, by which an optimizer's state goes, comes back."""
    model = nn.ModuleDict(
        {"cell": nn.GRUCell(8, 8), "attention": nn.MultiheadAttention(8, 2, kdim=16, vdim=24)}
    )
    names = [name for name, _ in model.named_parameters()]
    handle = mst.sparsify(model, "4:8")
    assert len(handle.masks) == 6
    handle.finalize()
    assert [name for name, _ in model.named_parameters()] == names
    with pytest.raises(InvalidInput):
        mst.sparsify(model, "4:8", score=lambda layer: layer.weight / 0)
    assert [name for name, _ in model.named_parameters()] == names


def test_an_optimizers_state_still_fits_after_finalize():
    model = net()
    optimizer = optimizer_for(model)
    handle = mst.sparsify(model, "4:8")
    train(handle, optimizer, 2)
    handle.finalize()
    fresh = net()
    another = optimizer_for(fresh)
    another.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, other in zip(model.parameters(), fresh.parameters(), strict=True):
        buffers = (o.state[p]["momentum_buffer"] for o, p in ((optimizer, one), (another, other)))
        assert torch.equal(*buffers)
