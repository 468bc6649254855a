import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from masksolve.errors import InvalidInput
from masksolve.torch import dst

from . import naive
from .helpers import fill, gradients, spread, thresholds


def _dense_twin(lstm, plain):
    """The dense module with the masked weights, made without the package's own masking."""
    state = {}
    for name, value in lstm.state_dict().items():
        if name.startswith("threshold"):
            continue
        if name.startswith("weight"):
            threshold = lstm.state_dict()[name.replace("weight", "threshold")]
            value = torch.tensor(naive.masked(value.tolist(), threshold.tolist())).to(value)
        state[name] = value
    plain.load_state_dict(state)
    return plain


STACKED = {"num_layers": 2, "batch_first": True}
BOTH_WAYS = {"bidirectional": True, "bias": False}
PROJECTED = {"proj_size": 3, "num_layers": 2}


@pytest.mark.parametrize("options", [{}, STACKED, BOTH_WAYS, PROJECTED])
def test_lstm_is_the_dense_one_with_masked_weights(options):
    lstm = spread(dst.LSTM(5, 6, **options, dtype=torch.float64))
    plain = _dense_twin(lstm, nn.LSTM(5, 6, **options, dtype=torch.float64))
    assert 0.2 < dst.remaining(lstm).total < 0.8
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    ours, (h, c) = lstm(x)
    theirs, (their_h, their_c) = plain(x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close((h, c), (their_h, their_c))
    torch.testing.assert_close(lstm(x, (h, c))[0], plain(x, (h, c))[0])
    torch.testing.assert_close(lstm(x[:, 0])[0], plain(x[:, 0])[0])  # a single sequence


def test_lstm_gradients_are_those_of_the_formulas():
    lstm = spread(dst.LSTM(5, 6, dtype=torch.float64))
    plain = _dense_twin(lstm, nn.LSTM(5, 6, dtype=torch.float64))
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    for module in (lstm, plain):
        module(x)[0].square().sum().backward()
    for name in ("ih_l0", "hh_l0"):
        weight, threshold = getattr(lstm, f"weight_{name}"), getattr(lstm, f"threshold_{name}")
        upstream = getattr(plain, f"weight_{name}").grad
        performance, structure, by_threshold = gradients(weight, threshold.tolist(), upstream)
        torch.testing.assert_close(weight.grad, performance + structure)
        torch.testing.assert_close(threshold.grad, by_threshold.sum(1))


def test_packed_sequences():
    lstm = spread(dst.LSTM(5, 6))
    plain = _dense_twin(lstm, nn.LSTM(5, 6))
    packed = pack_padded_sequence(torch.randn(4, 3, 5), [2, 4, 1], enforce_sorted=False)
    ours, theirs = (pad_packed_sequence(module(packed)[0])[0] for module in (lstm, plain))
    torch.testing.assert_close(ours, theirs)


def test_cell_is_the_formula():
    cell = spread(dst.LSTMCell(3, 2, dtype=torch.float64), high=0.7)
    assert 0 < dst.remaining(cell).total < 1
    x, h, c = (torch.randn(4, size, dtype=torch.float64) for size in (3, 2, 2))
    ours = cell(x, (h, c))
    held = {name: value.tolist() for name, value in cell.state_dict().items()}
    masked = [naive.masked(held[f"weight_{n}"], held[f"threshold_{n}"]) for n in ("ih", "hh")]
    biases = held["bias_ih"], held["bias_hh"]
    for k in range(4):
        states = (value[k].tolist() for value in (x, h, c))
        expected = naive.lstm_step(*states, *masked, *biases)
        assert [part[k].tolist() for part in ours] == [pytest.approx(part) for part in expected]


def test_cell_alone_without_states_and_as_the_lstm_steps():
    cell = spread(dst.LSTMCell(5, 6))
    x = torch.randn(3, 5)
    torch.testing.assert_close(cell(x), cell(x, (torch.zeros(3, 6), torch.zeros(3, 6))))
    single = cell(x[1])
    torch.testing.assert_close(single, tuple(part[1] for part in cell(x)))
    torch.testing.assert_close(cell(x[1], single), tuple(p[1] for p in cell(x, cell(x))))
    lstm = dst.LSTM(5, 6)
    lstm.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    sequence = torch.stack([x, x])
    torch.testing.assert_close(lstm(sequence)[0][1], cell(x, cell(x))[0])


def test_a_cell_takes_no_sequences():
    with pytest.raises(InvalidInput, match=r"of shape \(batch, 5\) or \(5,\), got \(2, 5, 5\)"):
        dst.LSTMCell(5, 6)(torch.zeros(2, 5, 5))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_have_thresholds_of_their_own(copied):
    lstm = spread(dst.LSTM(5, 6, num_layers=2, bidirectional=True))
    x = torch.randn(4, 3, 5)
    expected = lstm(x)[0]
    other = copied(lstm)
    fill(lstm.threshold_ih_l0, 9)
    assert torch.equal(other(x)[0], expected)
    assert not torch.equal(lstm(x)[0], expected)


@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell"])
def test_mixed_precision(kind):
    x = torch.randn(4, 5)
    with torch.autocast("cpu", torch.bfloat16):
        try:  # torch 2.13 has no such LSTM on CPUs without AVX-512
            getattr(nn, kind)(5, 6)(x)
        except RuntimeError as error:
            pytest.skip(f"torch's own {kind} cannot do it here: {error}")
        module = spread(getattr(dst, kind)(5, 6))
        found = module(x)[0]
    found.float().sum().backward()
    assert [p.grad.dtype for p in thresholds(module).values()] == [torch.float32] * 2


def test_eight_thresholds_a_unit_and_eight_matrices():
    lstm = dst.LSTM(5, 6)
    assert lstm.threshold_ih_l0.shape == lstm.threshold_hh_l0.shape == (24,)
    assert dst.LSTM(5, 6, thresholds="scalar").threshold_ih_l0.shape == (4,)
    assert dst.LSTM(5, 6, thresholds="matrix").threshold_hh_l0.shape == (24, 6)
    gates = ("input", "forget", "update", "output")
    names = [f"weight_{of}_l0.{gate}" for of in ("ih", "hh") for gate in gates]
    assert list(dst.remaining(lstm).layers) == names


def test_scalar_thresholds_are_of_one_matrix_each():
    lstm = dst.LSTM(5, 6, thresholds="scalar")
    fill(lstm.threshold_hh_l0, 9, at=2)
    layers = dst.remaining(lstm).layers
    assert [name for name, share in layers.items() if share == 0] == ["weight_hh_l0.update"]


def test_output_gates_masks_are_counted_as_masks():
    """The paper's code adds up masked weights for that gate, which may be negative."""
    lstm = dst.LSTM(5, 6)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        fill(getattr(lstm, name), -2.0)
    assert dst.remaining(lstm).total == 1


def test_lstm_follows_its_weights_to_another_dtype_and_state():
    lstm = spread(dst.LSTM(5, 6)).double()
    plain = _dense_twin(lstm, nn.LSTM(5, 6).double())
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(lstm(x)[0], plain(x)[0])
    other = dst.LSTM(5, 6).double()
    other.load_state_dict(lstm.state_dict())
    torch.testing.assert_close(other(x)[0], lstm(x)[0])


def test_an_error_inside_leaves_the_lstm_as_it_was():
    lstm = dst.LSTM(5, 6)
    with pytest.raises(RuntimeError):
        lstm(torch.zeros(4, 3, 7))
    assert all(a is b for a, b in zip(lstm._flat_weights, lstm.all_weights[0], strict=True))
