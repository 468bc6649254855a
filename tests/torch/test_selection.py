"""Which modules get masks, and what is said of those that do not."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm

import masksolve.torch as mst
from masksolve import Pattern
from masksolve.errors import InvalidPattern
from tests.refusals import says


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)


class Model(nn.Module):
    """A bit of everything."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(24, 16)
        self.conv = nn.Conv1d(16, 16, 3)
        self.depthwise = nn.Conv1d(16, 16, 3, groups=16)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(16, 24)
        self.small = nn.Linear(16, 10)
        self.dropout = nn.Dropout()


BLOCK = ["attention.in_proj_weight", "attention.out_proj.weight", "up.weight", "down.weight"]


def in_blocks(*names):
    return {f"blocks.{k}.{name}" for k in range(2) for name in names}


DEPTHWISE = "it is a depthwise convolution: one input to each output, nothing to group"


def test_default():
    handle = mst.sparsify(Model(), "4:8")
    assert set(handle.masks) == {"conv.weight", "head.weight"} | in_blocks(*BLOCK)
    assert handle.skipped == [
        ("embed.weight", "an embedding is a lookup, not a product"),
        ("depthwise.weight", DEPTHWISE),
        ("small.weight", "its matrix is 10 x 16, no multiple of 8"),
    ]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (nn.Conv1d, {"conv.weight"}),
        (nn.Embedding, {"embed.weight"}),
        ((nn.Embedding, nn.MultiheadAttention), {"embed.weight"} | in_blocks(BLOCK[0])),
        ([nn.MultiheadAttention], in_blocks(BLOCK[0])),
        ("head", {"head.weight"}),
        ("small", {"small.weight"}),
        ("blocks.0.*", {f"blocks.0.{name}" for name in BLOCK}),
        ("blocks.?.up", in_blocks("up.weight")),
        (["head", "*.down"], {"head.weight"} | in_blocks("down.weight")),
        (lambda name, module: name.endswith("up"), in_blocks("up.weight")),
        (lambda name, module: getattr(module, "out_features", 0) > 24, in_blocks("up.weight")),
    ],
)
def test_select(select, expected):
    handle = mst.sparsify(Model(), "4:8", select=select)
    assert set(handle.masks) == expected
    narrow = [("depthwise.weight", "its matrix is 1 x 1, narrower than 8")]
    assert handle.skipped == (narrow if select is nn.Conv1d else [])


@pytest.mark.parametrize(
    "select", ["d*", ["conv", "depthwise"], lambda name, module: name == "depthwise"]
)
def test_what_is_asked_for_by_name_must_fit(select):
    with says("depthwise.weight cannot have 4:8 masks: its matrix is 1 x 1, narrower than 8"):
        mst.sparsify(Model(), "4:8", select=select)


def test_a_ragged_layer_that_is_named():
    handle = mst.sparsify(Model(), "4:8", select="small")
    mask = handle.masks["small.weight"]
    assert (mask[:8].unflatten(1, (2, 8)).sum(2) == 4).all()
    assert (mask[8:].unflatten(1, (2, 8)).sum(2) <= 4).all()


def test_patterns_by_name():
    """The first name pattern that fits counts; None, and no fit, leave a layer dense."""
    patterns = {"*.up": None, "blocks.0.*": "2:4", "blocks.*": Pattern(6, 8), "conv": "1:4,plain"}
    handle = mst.sparsify(Model(), patterns)
    found = {layer.name: str(layer.masked.pattern) for layer in handle.layers}
    assert found == {
        "conv.weight": "1:4,plain",
        **{f"blocks.0.{name}": "2:4" for name in BLOCK if "up" not in name},
        **{f"blocks.1.{name}": "6:8" for name in BLOCK if "up" not in name},
    }
    dense = ["embed", "depthwise", "blocks.0.up", "blocks.1.up", "head", "small"]
    assert dict(handle.skipped) == {
        f"{name}.weight": "no pattern is given for it" for name in dense
    }
    for layer in handle.layers:
        share = layer.masked.pattern.density
        assert layer.mask.double().mean() == pytest.approx(share)


def test_patterns_by_function():
    def pattern(name, module):
        return {nn.Linear: "2:4", nn.Conv1d: Pattern(4, 8)}.get(type(module))

    handle = mst.sparsify(Model(), pattern)
    found = {layer.name: str(layer.masked.pattern) for layer in handle.layers}
    assert found == {
        "conv.weight": "4:8",
        "head.weight": "2:4",
        **dict.fromkeys(in_blocks("up.weight", "down.weight"), "2:4"),
    }


def test_a_module_under_two_names_is_one():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    model.append(model[0])
    handle = mst.sparsify(model, "4:8")
    assert list(handle.masks) == ["0.weight"]
    x = torch.randn(3, 8)
    weight = handle.layers[0].used()
    hidden = nn.functional.linear(x, weight, model[0].bias).relu()
    expected = nn.functional.linear(hidden, weight, model[0].bias)
    torch.testing.assert_close(model(x), expected)


class Twice(nn.Module):
    """One module under two names."""

    def __init__(self):
        super().__init__()
        self.first, self.between = nn.Linear(8, 8), nn.Linear(8, 8)
        self.last = self.first

    def forward(self, x):
        return self.last(self.between(self.first(x)))


@pytest.mark.parametrize("select", ["last", "first", ["las?"], lambda name, _: name == "last"])
def test_a_module_is_selected_by_any_of_its_names(select):
    model, x = Twice(), torch.randn(3, 8)
    handle = mst.sparsify(model, {"last": "4:8"}, select=select)
    assert list(handle.masks) == ["first.weight"]
    plain = Twice()
    plain.load_state_dict(mst.dense_state_dict(model))  # neither name is missing, nor another left
    torch.testing.assert_close(plain(x), model(x))
    again = Twice()
    mst.sparsify(again, "4:8", select=select)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), model(x))
    with says(
        "the checkpoint has a plain last.weight, without a mask: load it before sparsify; "
        "nothing was loaded"
    ):
        again.load_state_dict({"last.weight": plain.last.weight}, strict=False)
    handle.finalize()
    assert torch.equal(model(x), plain(x))


def test_prune_takes_masks_by_any_name_of_a_module():
    model = Twice()
    mask = mst.stored_mask(mst.solve_mask(model.last.weight, "4:8"), model.last.weight, "4:8")
    mst.prune_with(model, {"last.weight": mask})
    assert list(mst.masks_of(model, "4:8")) == ["first.weight"]


def test_the_model_itself_may_be_a_layer():
    handle = mst.sparsify(nn.Linear(8, 8), "4:8", select="*")
    assert list(handle.masks) == ["weight"]


def test_frozen_layers_get_masks_too():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)).requires_grad_(False)
    handle = mst.sparsify(model, "4:8")
    assert len(handle.masks) == 2
    assert not any(p.requires_grad for p in model.parameters())


SHARED = "it is one parameter under several names: embed.weight, head.weight"


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.hidden = nn.Embedding(16, 8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 16)
        self.head.weight = self.embed.weight


def test_tied_weights_are_passed_over():
    handle = mst.sparsify(Tied(), "4:8")
    assert list(handle.masks) == ["hidden.weight"]
    lookup = "an embedding is a lookup, not a product"
    assert handle.skipped == [("embed.weight", lookup), ("head.weight", SHARED)]


def with_(change, *sizes):
    layer = nn.Linear(*(sizes or (8, 8)))
    return nn.Sequential(change(layer) or layer)


def in_dtype(dtype):
    def change(layer):
        weight = torch.zeros(8, 8).to(dtype)
        layer.weight = nn.Parameter(weight, requires_grad=dtype.is_floating_point)

    return change


class Int8Tensor(torch.Tensor):
    """Codes that say they are floats, as torchao's and bitsandbytes' parameters do."""


Int8Tensor.__module__ = "torchao.quantization"


def of_torchao(layer):
    layer.weight = nn.Parameter(torch.zeros(8, 8).as_subclass(Int8Tensor))


def pruned(layer):
    prune.l1_unstructured(layer, "weight", 0.5)


NO_DATA = "it is on the meta device, without data: load weights first"
NO_PARAMETER = "it is no parameter (torch.nn.utils.prune leaves it so, for one)"
NO_SHAPE = "it has no shape yet: run the model once first"
FP8 = torch.float8_e4m3fn
WEIGHTS = {
    "narrow": (lambda: with_(nn.Identity(), 64, 4), "its matrix is 4 x 64, narrower than 8"),
    "meta": (lambda: with_(lambda layer: layer.to("meta")), NO_DATA),
    "int8": (lambda: with_(in_dtype(torch.int8)), "it is quantised (torch.int8)"),
    "fp8": (lambda: with_(in_dtype(FP8)), "it is quantised (torch.float8_e4m3fn)"),
    "torchao": (lambda: with_(of_torchao), "it is quantised (Int8Tensor of torchao)"),
    "complex": (lambda: with_(in_dtype(torch.complex64)), "it is complex"),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(8)), NO_SHAPE),
    "pruned": (lambda: with_(pruned), NO_PARAMETER),
    "weight_norm": (lambda: with_(weight_norm), "it has a parametrization already, _WeightNorm"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_cannot_have_masks(case):
    make, why = WEIGHTS[case]
    with says(f"0.weight cannot have 4:8 masks: {why}"):
        mst.sparsify(make(), "4:8", select="0")
    kind = "LazyLinear" if case == "lazy" else "Linear"
    with says(f"no module of Sequential gets a mask: it has 1 {kind}; 0.weight: {why}"):
        mst.sparsify(make(), "4:8")
    beside = make().append(nn.Linear(8, 8))
    handle = mst.sparsify(beside, "4:8")
    assert handle.skipped == [("0.weight", why)]


@pytest.mark.parametrize(
    "select", ["head", "embed", ["embed", "head"], lambda name, _: name == "head"]
)
def test_shared_parameters_that_are_named(select):
    """One mask for all that share it, in use, in state dicts and in the end."""
    model = Tied()
    weight = model.head.weight
    handle = mst.sparsify(model, "4:8", select=select)
    (mask,) = handle.masks.values()
    for used in (model.embed.weight, model.head.weight):
        assert torch.equal(used, weight * mask)
    assert not any("parametrizations" in key for key in mst.dense_state_dict(model))
    assert torch.equal(mst.dense_state_dict(model)["head.weight"], weight * mask)
    mst.sparsify(Tied(), "4:8", select=select).model.load_state_dict(model.state_dict())
    plain = "the checkpoint has a plain head.weight, without a mask: load it before sparsify"
    with says(f"{plain}; nothing was loaded"):
        model.load_state_dict({"head.weight": weight})
    assert [p.shape for p in model.parameters()].count(weight.shape) == 1
    handle.finalize()
    assert model.head.weight is model.embed.weight is weight
    assert torch.equal(weight != 0, mask)
    assert [name for name, _ in model.head.named_parameters()] == ["weight", "bias"]


class Alike(nn.Module):
    """Two layers with one weight, which is the matrix of a product in both."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.own = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.two.weight = self.one.weight


@pytest.mark.parametrize("select", [None, nn.Linear])
def test_a_weight_that_is_shared_among_its_like_gets_one_mask(select):
    model = Alike()
    handle = mst.sparsify(model, "4:8", select=select)
    assert list(handle.masks) == ["one.weight", "own.weight"]
    assert handle.skipped == []
    assert torch.equal(model.two.weight != 0, handle.masks["one.weight"])
    assert torch.equal(model.one.weight, model.two.weight)


def test_types_pass_over_what_is_shared():
    handle = mst.sparsify(Tied(), "4:8", select=nn.Linear)
    assert handle.skipped == [("head.weight", SHARED)]


OUT_OF_REACH = "it keeps its weights in a list that a parametrization does not reach; use {}Cell"


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers(kind):
    name, why = kind.__name__, OUT_OF_REACH.format(kind.__name__)
    with says(f"rnn cannot have masks: {why}"):
        mst.sparsify(nn.ModuleDict({"rnn": kind(8, 8)}), "4:8", select="rnn")
    each = "".join(f"; weight_{side}_l0: {why}" for side in ("ih", "hh"))
    with says(f"no module of {name} gets a mask: it has 1 {name}{each}"):
        mst.sparsify(kind(8, 8), "4:8")
    beside = mst.sparsify(nn.ModuleDict({"rnn": kind(8, 8), "fc": nn.Linear(8, 8)}), "4:8")
    assert dict(beside.skipped) == {"rnn.weight_ih_l0": why, "rnn.weight_hh_l0": why}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["", "dynamic."])
def test_quantised_modules(kind):
    quantised = pytest.importorskip(f"torch.ao.nn.quantized{kind and '.dynamic'}")
    try:
        model = nn.Sequential(quantised.Linear(8, 8))
    except RuntimeError as error:  # this build of torch has no engine for it
        pytest.skip(str(error))
    why = "it is quantised; sparsify before quantisation"
    with says(f"0 cannot have masks: {why}"):
        mst.sparsify(model, "4:8", select="0")
    with says(f"no module of Sequential gets a mask: it has 1 Linear; 0: {why}"):
        mst.sparsify(model, "4:8")


NO_NAME = "no module's name fits {!r}: the model has linear, linears.0, linears.1"
NO_MASK = "no module of ModuleDict gets a mask: it has 3 Linear, 1 LayerNorm"
LINEARS = ("linear", "linears.0", "linears.1")
NO_PATTERN = [f"{name}.weight: no pattern is given for it" for name in LINEARS]
NARROW = [f"{name}.weight: its matrix is 8 x 8, narrower than 32" for name in LINEARS]


@pytest.mark.parametrize(
    ("pattern", "select", "sentence"),
    [
        ("4:8", "fc*", NO_NAME.format("fc*")),
        ({"linear.weight": "4:8", "*": "2:4"}, None, NO_NAME.format("linear.weight")),
        ("4:8", ["linear", "linears.2"], NO_NAME.format("linears.2")),
        ("4:8", nn.LayerNorm, f"{NO_MASK}, of which select takes 1 LayerNorm"),
        ("4:8", nn.Conv2d, f"{NO_MASK}, of which select takes nothing"),
        ({"linears.*": None}, None, "; ".join([NO_MASK, *NO_PATTERN])),
        ("16:32", None, "; ".join([NO_MASK, *NARROW])),
    ],
)
def test_nothing_to_choose(pattern, select, sentence):
    linears = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
    model = {"norm": nn.LayerNorm(8), "linear": nn.Linear(8, 8), "linears": linears}
    with says(sentence):
        mst.sparsify(nn.ModuleDict(model), pattern, select=select)


def test_long_lists_of_names_are_cut():
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(9)))
    with says("no module's name fits '9': the model has 0, 1, 2, 3, 4, 5, ..."):
        mst.sparsify(model, "4:8", select="9")


@pytest.mark.parametrize("select", [5, [], (), (nn.Linear, "0"), {"0": True}, nn.ReLU(), b"0"])
def test_select_of_a_wrong_kind(select):
    words = "select must be a type, a name pattern, several of either, or a function"
    with says(f"{words}, got {select!r}"):
        mst.sparsify(nn.Linear(8, 8), "4:8", select=select)


@pytest.mark.parametrize("pattern", [3, None, {"*": 3}, lambda name, module: 3])
def test_pattern_of_a_wrong_kind(pattern):
    kind = "NoneType" if pattern is None else "int"
    with says(f"pattern must be a Pattern or a string like '2:4', got {kind}", InvalidPattern):
        mst.sparsify(nn.Linear(8, 8), pattern)
