import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from masksolve.errors import InvalidInput
from masksolve.torch import dst

from .helpers import descend, fill


class Reader(nn.Module):
    """A bit of everything."""

    def __init__(self):
        super().__init__()
        self.look = nn.Embedding(11, 8)
        self.across = nn.Conv1d(8, 8, 3, padding=1)
        self.lstm = nn.LSTM(8, 6, batch_first=True)
        self.cell = nn.LSTMCell(6, 6)
        self.norm = nn.LayerNorm(6)
        self.output = nn.Linear(6, 4)

    def forward(self, tokens):
        seen = self.across(self.look(tokens).mT).mT
        states, _ = self.lstm(seen)
        return self.output(self.norm(self.cell(states[:, -1])[0]))


TOKENS = torch.arange(22).view(2, 11) % 11


def test_a_whole_model_computes_what_it_did_with_the_same_objects():
    model = Reader().eval()
    before, modules = model(TOKENS), list(map(id, model.modules()))
    weights = {name: id(p) for name, p in model.named_parameters()}
    assert dst.convert(model) is model
    torch.testing.assert_close(model(TOKENS), before, rtol=0, atol=0)
    assert list(map(id, model.modules())) == modules
    assert {n: id(p) for n, p in model.named_parameters() if "threshold" not in n} == weights
    kinds = [type(m) for m in (model.across, model.lstm, model.cell, model.output)]
    assert kinds == [dst.Conv1d, dst.LSTM, dst.LSTMCell, dst.Linear]
    assert dst.remaining(model).dense == ["look.weight"]


def test_from_a_trained_model():
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    y = x[:, :1] - x[:, 1:2]
    dense = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def train(model, alpha, steps):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for _ in range(steps):
            loss = (model(x) - y).square().mean()
            whole = loss if alpha is None else loss + dst.sparsity_loss(model, alpha)
            descend(optimizer, whole)
        return (model(x) - y).square().mean().item()

    trained = train(dense, None, 300)
    assert trained < 0.01
    model = dst.convert(dense)
    assert (model(x) - y).square().mean().item() == pytest.approx(trained, abs=2e-3)
    assert train(model, 1e-3, 300) < 0.02
    assert dst.remaining(model).total < 0.6


def test_a_model_that_is_one_layer():
    layer = nn.Linear(4, 4)
    assert dst.convert(layer) is layer
    assert isinstance(layer, dst.Linear)


def test_what_is_selected():
    by_name = dst.convert(Reader(), select="l*")
    assert isinstance(by_name.lstm, dst.LSTM)
    assert type(by_name.output) is nn.Linear
    by_type = dst.convert(Reader(), select=nn.LSTM)
    dense = ["look.weight", "across.weight", "cell.weight_ih", "cell.weight_hh", "output.weight"]
    assert dst.remaining(by_type).dense == dense
    by_function = dst.convert(Reader(), select=lambda name, module: name != "output")
    assert type(by_function.output) is nn.Linear


def test_options_reach_the_layers_and_published_is_never_in_lstms():
    model = dst.convert(Reader(), thresholds="scalar", initial=0.2)
    assert model.output.threshold.tolist() == pytest.approx([0.2])
    assert model.lstm.threshold_ih_l0.shape == (4,)
    below = [getattr(model, name).reset_below for name in ("across", "lstm", "cell", "output")]
    assert below == [0.01, None, None, 0.01]
    everywhere = dst.convert(Reader(), reset_below=0.05)
    assert everywhere.lstm.reset_below == everywhere.output.reset_below == 0.05
    assert dst.convert(Reader(), reset_below=None).output.reset_below is None


def test_thresholds_are_where_and_what_the_weights_are():
    model = dst.convert(nn.Linear(4, 4, dtype=torch.bfloat16))
    assert model.threshold.dtype == torch.bfloat16
    assert dst.convert(nn.Linear(4, 4, device="meta")).threshold.device.type == "meta"


def test_attention_keeps_its_own_and_feed_forward_is_masked_in_evaluation_too():
    """In evaluation torch's encoder layers would use bare weights in a kernel of their own."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0, batch_first=True)
    dst.convert(layer, initial=0.2)
    assert type(layer.self_attn.out_proj) is not dst.Linear
    x = torch.randn(2, 5, 8)
    learning = layer(x)
    layer.eval()
    with torch.no_grad():
        torch.testing.assert_close(layer(x), learning)
        fill(layer.linear1.threshold, 9)
        assert not torch.allclose(layer(x), learning)


def test_finalize_gives_encoders_their_kernel_back():
    layers = [
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation=activation)
        for activation in ("relu", "gelu", nn.GELU(), torch.tanh)
    ]
    codes = [layer.activation_relu_or_gelu for layer in layers]
    model = dst.convert(nn.ModuleList(layers), initial=0.2)
    assert [layer.activation_relu_or_gelu for layer in layers] == [0] * 4
    dst.finalize(model)
    assert [layer.activation_relu_or_gelu for layer in layers] == codes == [1, 2, 2, 0]


def test_shared_layers_and_tied_weights():
    layer = nn.Linear(4, 4)
    model = dst.convert(nn.Sequential(layer, nn.ReLU(), layer))
    assert model[0] is model[2]
    assert dst.remaining(model).size == 16
    tied = nn.ModuleDict({"look": nn.Embedding(5, 4), "output": nn.Linear(4, 5, bias=False)})
    tied["output"].weight = tied["look"].weight.requires_grad_(False)
    dst.convert(tied, initial=0.5)
    assert tied["output"].weight is tied["look"].weight
    before = tied["look"].weight.clone()
    dst.finalize(tied)
    assert torch.equal(tied["look"].weight, before)  # a lookup uses all of it
    assert not torch.equal(tied["output"].weight, before)
    assert not tied["output"].weight.requires_grad


def test_finalize_leaves_plain_modules_that_compute_the_same():
    model = dst.convert(Reader(), initial=0.15).eval()
    expected = model(TOKENS)
    weights, objects = dst.masks(model), [id(m) for m in model.modules()]
    masks = dst.finalize(model)
    torch.testing.assert_close(model(TOKENS), expected)
    assert [type(m) for m in model.modules()] == [type(m) for m in Reader().modules()]
    assert [id(m) for m in model.modules()] == objects
    state = Reader().state_dict()
    assert model.state_dict().keys() == state.keys()
    for name, mask in masks.items():
        assert torch.equal(mask, weights[name])
        assert not bool(model.state_dict()[name][~mask].any())
    assert torch.equal(model.lstm._flat_weights[0], model.lstm.weight_ih_l0)


def test_converted_again_after_finalize():
    model = dst.convert(Reader(), initial=0.15)
    dst.finalize(model)
    share = dst.remaining(dst.convert(model)).total  # what is zero is not above zero
    assert 0.2 < share < 0.9


class Odd(nn.Linear):
    pass


def nothing(in_what, selected):
    kinds = "Linear, Conv1d, Conv2d, LSTM, LSTMCell"
    return f"nothing in {in_what} can have thresholds: expected {kinds}, selected is {selected}"


NEVER = {"select": lambda name, module: False}
KINDS = "thresholds must be one of vector, scalar, matrix, got 'rows'"
SHARE = "reset_below must be a share from 0 to 1, or None, got 7"


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (3, {}, "model must be a torch module, got int"),
        (nn.ReLU(), {}, nothing("ReLU", "ReLU")),
        (Odd(3, 3), {}, nothing("Odd", "Odd")),
        (dst.Linear(3, 3), {}, "Linear is converted already: what is selected has thresholds"),
        (nn.Linear(3, 3), NEVER, nothing("Linear", "nothing")),
        (nn.Linear(3, 3), {"thresholds": "rows"}, KINDS),
        (nn.Linear(3, 3), {"initial": "low"}, "initial must be a finite number, got 'low'"),
        (nn.Linear(3, 3), {"reset_below": 7}, SHARE),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(model, options, said):
    kind = type(model)
    with pytest.raises(InvalidInput) as caught:
        dst.convert(model, **options)
    assert str(caught.value) == said
    assert type(model) is kind


def _pruned(module, name="weight"):
    prune.l1_unstructured(module, name, 0.5)
    return module


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (_pruned(nn.Linear(3, 3)), "1.weight is computed from other tensors, as by torch.nn."),
        (_pruned(nn.LSTM(3, 3), "weight_hh_l0"), "1.weight_hh_l0 is computed from other"),
        (nn.Linear(3, 3, dtype=torch.complex64), "1.weight is of torch.complex64: thresholds"),
    ],
)
def test_weights_that_cannot_have_thresholds(second, said):
    model = nn.Sequential(nn.Linear(3, 3), second)
    with pytest.raises(InvalidInput) as caught:
        dst.convert(model)
    assert str(caught.value).startswith(said)
    assert type(model[0]) is nn.Linear


def test_a_slip_in_a_name_is_said():
    with pytest.raises(InvalidInput, match=r"no module's name fits 'outptu'"):
        dst.convert(Reader(), select="outptu")


def test_finalize_refuses_kinds_it_does_not_know():
    class Mine(dst.Linear):
        pass

    model = nn.Sequential(Mine(3, 3), dst.Linear(3, 3))
    with pytest.raises(InvalidInput, match=r"0\.weight is of Mine"):
        dst.finalize(model)
    assert dst.remaining(model).total == 1
