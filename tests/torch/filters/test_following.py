import pytest
import torch
from torch import nn
from torch.nn import functional

from masksolve.errors import InvalidInput
from masksolve.torch.filters.following import follow

from .nets import make


def groups(name):
    net, batch = make(name)
    network = follow(net.eval(), batch)
    return {tuple(m): len(g) for m, g in zip(network.makers, network.atoms.groups, strict=True)}


def test_sums_tie_filters():
    sums = {("stem", "a2"): 6, ("b2", "shortcut"): 12}
    assert groups("residual") == sums | {("a1",): 6, ("b1",): 12}


def test_products_and_depthwise_convolutions_tie_filters():
    # both filters of a channel of `twice` go with it, and with their gates
    assert groups("mobile") == {("expand", "up"): 8, ("down",): 4}


def test_groups_stay_equal():
    # of 12 channels those 4 apart go together for `grouped`, then those 4 and 6 apart
    assert groups("grouped") == {("wide",): 4, ("grouped",): 2, ("again",): 3}


def test_concatenation_flattening_and_a_layer_used_twice():
    assert groups("plain") == {("features.0",): 6, ("features.4",): 8, ("head.1",): 10}
    assert groups("dense") == {("one",): 4, ("two",): 4, ("three",): 5}
    assert groups("tokens") == {("up", "between"): 8, ("mixer",): 7}
    assert groups("sizes") == {("one",): 4, ("two",): 6}


class Middle(nn.Module):
    """A function between two layers."""

    def __init__(self, function, *modules, channels=8):
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(channels, 3, 1)
        self.function, self.inner = function, nn.ModuleList(modules)
        self.scale = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x):
        return self.two(self.function(self, self.one(x)))


CANNOT = {
    "reshape": (lambda m, x: x.reshape(-1, 8, 5, 5), "8, written into the code"),
    "getitem": (lambda m, x: x[:, [1, 0, 2, 3, 4, 5, 6, 7]], "into another order"),
    "inner_0": (lambda m, x: m.inner[0](x), "GroupNorm 'inner.0'"),
    "softmax": (lambda m, x: x.softmax(1), "mixes channels"),
    "sum_1": (lambda m, x: x / x.sum(1, keepdim=True), "mixes channels"),
    "view": (lambda m, x: x.view(x.size(0), 2, 4, 5, 5).flatten(1, 2), "over several axes"),
    "add": (lambda m, x: x + x.transpose(1, 2), "beside another axis"),
    "pow_1": (lambda m, x: x.pow(x.abs()), "mixes channels, or moves them"),
    "chunk": (lambda m, x: torch.cat(x.chunk(2, 1), 1), "mixes channels, or moves them"),
    "pad": (lambda m, x: functional.pad(x, (0, 0, 0, 0, 1, 1))[:, 1:9], "number of channels"),
    "conv2d": (lambda m, x: functional.conv2d(x, torch.ones(8, 8, 1, 1)), "mixes channels"),
    "max_pool2d_with_indices": (
        lambda m, x: functional.max_pool2d(x, 2, return_indices=True)[0],
        "",
    ),
}


@pytest.mark.parametrize("node", CANNOT)
def test_what_cannot_be_followed_is_refused_by_its_node(node):
    function, why = CANNOT[node]
    size = 8 if node == "add" else 5
    net, x = Middle(function, nn.GroupNorm(2, 8)).eval(), torch.rand(2, 2, size, size)
    with pytest.raises(InvalidInput, match=f"of one cannot be tied at node '{node}'") as refused:
        follow(net, x)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    # and once its filters are kept, anything may follow
    assert follow(net, x, ["one"]).atoms.groups == []


CAN = [
    lambda m, x: x * 2 + torch.maximum(x, x.neg()),
    lambda m, x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
    lambda m, x: x.view(x.size(0), -1, 5, 5),
    lambda m, x: x - x.mean((2, 3), keepdim=True),
    lambda m, x: x[:, :, 1:, ::2],
    lambda m, x: functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2.0),
    lambda m, x: functional.pad(x, (1, 1, 1, 1)),
    lambda m, x: m.inner[0](x),
    lambda m, x: torch.unsqueeze(input=m.inner[0](input=x), dim=0).squeeze(0),
    lambda m, x: torch.cat(tensors=[torch.relu(input=x)], dim=1),
]


@pytest.mark.parametrize("function", CAN)
def test_what_can_be_followed(function):
    network = follow(Middle(function, nn.BatchNorm2d(8)).eval(), torch.rand(2, 2, 5, 5))
    assert [len(group) for group in network.atoms.groups] == [8]


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)


def test_what_only_leads_to_the_output_needs_no_following():
    class Head(Pair):
        def forward(self, x):
            return self.two(self.one(x).relu()).reshape(-1, 2, 2).softmax(1)

    network = follow(Head().eval(), torch.rand(2, 4))
    assert network.makers == [["one"]]


def test_what_is_tied_to_the_input_or_a_parameter_stays():
    same = Middle(lambda m, x: x * m.scale).eval()
    assert follow(same, torch.rand(2, 2, 5, 5)).atoms.groups == []

    class Skip(Pair):
        def forward(self, x):
            return self.two(x + self.one(x))

    assert follow(Skip().eval(), torch.rand(2, 4)).atoms.groups == []


def test_what_cannot_be_traced_or_does_not_fit():
    class Branch(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(InvalidInput, match=r"Branch cannot be traced by torch.fx: .*control flow"):
        follow(Branch().eval(), torch.rand(2, 4))
    net, _ = make("plain")
    with pytest.raises(InvalidInput, match=r"of shape \(2, 3, 8, 8\), .* at node 'features_0': "):
        follow(net.eval(), torch.rand(2, 3, 8, 8))
    words = r"no linear layer or convolution .* is called 'features\.2'"
    with pytest.raises(InvalidInput, match=words):
        follow(net.eval(), torch.rand(2, 1, 8, 8), ["features.0", "features.2"])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_what_has_no_python_code():
    scripted = torch.jit.script(nn.Linear(4, 4)).eval()
    with pytest.raises(InvalidInput, match=r"cannot be traced by torch.fx: "):
        follow(scripted, torch.rand(2, 4))
