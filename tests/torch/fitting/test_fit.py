"""Whole layers: masks valid, errors as reported, biases, held-out rows, dtypes, groups."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
from masksolve.errors import InvalidInput, InvalidPattern, UnknownMethod
from masksolve.torch.fitting import FitSettings, Moments, fit, fit_group, fit_linear
from masksolve.torch.fitting import damping as module
from tests.torch.fitting.problems import error_of, least_squares, related

ALGORITHMS = "magnitude", "wanda", "sparsegpt", "admm"


def layer(outputs=16, features=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(outputs, features, generator=random), torch.randn(outputs, generator=random)


def moments_of(*rows, **more):
    moments = Moments()
    moments.add(*rows, **more)
    return moments


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("pattern", ["4:8", "2:4,plain"])
@pytest.mark.parametrize("with_bias", [True, False])
def test_what_is_reported_is_so(algorithm, refit, pattern, with_bias):
    (weight, bias), x, other = layer(), related(300, 32), related(100, 32, seed=7)
    bias = bias if with_bias else None
    asked = FitSettings(pattern, algorithm, refit=refit)
    found = fit_linear(weight, bias, moments_of(x), moments_of(other), asked)
    ms.check_mask(found.mask.numpy(), pattern)
    assert not found.weight[~found.mask].any()
    shift = 0 if bias is None else found.bias - bias
    for rows, reported in ((x, found.errors.after), (other, found.errors.held_out_after)):
        wanted = rows.double() @ weight.double().T
        error = error_of(rows, wanted, found.weight, shift) / float(wanted.square().sum())
        assert reported == pytest.approx(error, rel=1e-3, abs=1e-9)
    scores = weight.abs() if algorithm == "magnitude" else (weight * x.norm(dim=0)).square()
    first = ms.solve(scores.numpy(), pattern, score=None).mask
    before = error_of(x, x.double() @ weight.double().T, weight.numpy() * first)
    energy = float((x.double() @ weight.double().T).square().sum())
    assert found.errors.before == pytest.approx(before / energy, rel=1e-2)
    updated = refit or algorithm in ("sparsegpt", "admm")
    assert (found.damping is not None) == updated
    assert (found.errors.after < 0.7 * found.errors.before) == updated
    if not updated:
        assert (found.weight == weight * found.mask).all()
        assert bias is None or (found.bias == bias).all()


def test_each_is_better_than_the_one_before():
    weight, _ = layer(64, 64)
    rows, other = related(2000, 64), related(500, 64, seed=3)
    errors = {
        (algorithm, refit): fit_linear(
            weight,
            None,
            moments_of(rows),
            moments_of(other),
            FitSettings("4:8", algorithm, refit=refit),
        ).errors.held_out_after
        for algorithm, refit in [*itertools.product(ALGORITHMS[:3], (False, True)), ("admm", True)]
    }
    order = [("magnitude", False), ("wanda", False), ("wanda", True), ("sparsegpt", True)]
    order += [("admm", True)]
    found = [errors[way] for way in order]
    assert found == sorted(found, reverse=True)
    assert errors["sparsegpt", True] < errors["sparsegpt", False] < errors["wanda", False]


@pytest.mark.parametrize("with_bias", [True, False])
def test_wanted_outputs_are_gone_for(with_bias):
    """Under the mask that it has, no weights do better: NumPy's error, on outputs of any kind."""
    weight, bias = layer()
    bias = bias if with_bias else None
    x = related(300, 32)
    wanted = x @ weight.T + (0 if bias is None else bias) + 0.5 * related(300, 16, seed=4)
    asked = FitSettings("4:8", "wanda", damping=0.01)
    found = fit_linear(weight, bias, moments_of(x, wanted=wanted), None, asked)
    kept = found.mask.numpy()
    goal = wanted if bias is None else wanted - bias
    best, moved = least_squares(x, goal, weight.double().numpy(), kept, 0.01, with_bias)
    np.testing.assert_allclose(found.weight, best, atol=0.1)
    shift = 0 if bias is None else found.bias - bias
    error = error_of(x, goal, found.weight, shift) / float(goal.double().square().sum())
    assert found.errors.after == pytest.approx(error, rel=1e-3)
    assert error <= 1.01 * error_of(x, goal, best, moved) / float(goal.double().square().sum())


def test_dense_inputs_and_their_outputs_are_the_same_wish():
    weight, bias = layer()
    dense = related(300, 32)
    x = dense + 0.1 * related(300, 32, seed=9)
    asked = FitSettings("4:8", damping=0.1)
    by_inputs = fit_linear(weight, bias, moments_of(x, dense), None, asked)
    by_outputs = fit_linear(
        weight, bias, moments_of(x, wanted=dense @ weight.T + bias), None, asked
    )
    assert (by_inputs.mask == by_outputs.mask).float().mean() > 0.99
    assert by_inputs.errors.after == pytest.approx(by_outputs.errors.after, rel=1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_layers_side_by_side_are_what_they_are_alone(algorithm):
    layers = [layer(16), layer(8, seed=1), layer(24, seed=2)]
    biases = [None, layers[1][1], None]
    x = moments_of(related(300, 32))
    asked = FitSettings("4:8", algorithm, damping=0.1)
    group = fit_group([weight for weight, _ in layers], biases, x, None, asked)
    for (weight, _), bias, found in zip(layers, biases, group, strict=True):
        alone = fit_linear(weight, bias, x, None, asked)
        assert (found.mask == alone.mask).float().mean() > 0.99
        assert found.errors.after == pytest.approx(alone.errors.after, rel=1e-2)
        assert (found.bias is None) == (bias is None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_keep_their_dtype_and_errors_count_its_rounding(dtype):
    weight, bias = (x.to(dtype) for x in layer())
    x = related(300, 32)
    held = weight.clone(), bias.clone()
    found = fit_linear(weight, bias, moments_of(x), None, FitSettings("4:8"))
    assert found.weight.dtype == found.bias.dtype == dtype
    assert (weight == held[0]).all()
    assert (bias == held[1]).all()
    wanted = x.double() @ weight.double().T
    error = error_of(x, wanted, found.weight.double(), (found.bias.double() - bias.double()))
    assert found.errors.after == pytest.approx(error / float(wanted.square().sum()), rel=1e-2)


def test_the_damping_is_what_does_best_on_held_out_rows(monkeypatch):
    """Few rows and many inputs: without held-out rows nobody would know that it fits noise."""
    monkeypatch.setattr(module, "OUTPUTS", 1 << 20)
    monkeypatch.setattr(fit, "ROUNDS", 8)
    weight, _ = layer(32, 64)
    x, other = related(80, 64), related(400, 64, seed=5)
    chosen = fit_linear(weight, None, moments_of(x), moments_of(other), FitSettings("4:8"))
    errors = {
        damping: fit_linear(
            weight, None, moments_of(x), moments_of(other), FitSettings("4:8", damping=damping)
        ).errors.held_out_after
        for damping in module.DAMPINGS
    }
    assert errors[chosen.damping] == min(errors.values())
    assert errors[chosen.damping] < max(errors.values())


def test_without_held_out_rows_the_damping_is_a_safe_one():
    weight, _ = layer()
    found = fit_linear(weight, None, moments_of(related(300, 32)), None, FitSettings("4:8"))
    assert found.damping == module.UNKNOWN
    assert found.errors.held_out_after is found.errors.held_out_before is None


@settings(max_examples=15, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    rows=st.integers(1, 30),
    algorithm=st.sampled_from(ALGORITHMS),
    scale=st.sampled_from([1e-6, 1.0, 1e5]),
)
def test_any_shape_any_rows_any_scale(sides, rows, algorithm, scale):
    weight = torch.randn(sides, generator=torch.Generator().manual_seed(0))
    x = scale * related(rows, sides[1])
    found = fit_linear(weight, None, moments_of(x), None, FitSettings("2:4", algorithm))
    assert found.weight.isfinite().all()
    ms.check_mask(found.mask.numpy(), "2:4")
    # Least squares does no worse than its mask alone, whose weights are damped towards themselves.
    # Only of the mask that is Wanda's own, or magnitude's, is that what was there before.
    wanted = x.double() @ weight.double().T
    alone = x.double() @ (weight * found.mask).double().T
    error = float((wanted - alone).square().sum() / wanted.square().sum())
    assert found.errors.after <= error * (1 + 1e-3) + 1e-6
    if algorithm in ("wanda", "magnitude"):
        assert found.errors.after <= found.errors.before * (1 + 1e-3) + 1e-6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_inputs_that_are_always_zero(algorithm):
    weight, _ = layer()
    x = related(300, 32)
    x[:, [3, 10]] = 0
    found = fit_linear(weight, None, moments_of(x), None, FitSettings("4:8", algorithm))
    assert found.weight.isfinite().all()
    nothing = fit_linear(weight, None, moments_of(0 * x), None, FitSettings("4:8", algorithm))
    assert nothing.weight.isfinite().all()
    assert nothing.errors.after == 0


def test_parts_that_are_short_of_m():
    weight, _ = layer(10, 14)
    found = fit_linear(weight, None, moments_of(related(99, 14)), None, FitSettings("4:8"))
    ms.check_mask(found.mask.numpy(), "4:8")


def test_other_solvers_of_masks_keep_less():
    weight, _ = layer(64, 64)
    x = moments_of(related(500, 64))
    before = [
        fit_linear(weight, None, x, None, FitSettings("4:8", "wanda", method=m)).errors.before
        for m in ("exact", "greedy")
    ]
    assert before[0] < before[1]


def _nan(tensor):
    tensor = tensor.clone()
    tensor[0] = float("nan")
    return tensor


WEIGHT, X = layer()[0], related(50, 32)


@pytest.mark.parametrize(
    ("weight", "bias", "rows", "said"),
    [
        (WEIGHT, None, [], "there are no rows to fit to"),
        (WEIGHT[:, :8], None, [X], r"a weight must be \(outputs, 32\) .* got \(16, 8\)"),
        (WEIGHT.int(), None, [X], "of a floating dtype"),
        (WEIGHT, torch.zeros(3), [X], r"a bias must be \(16,\), got \(3,\)"),
        (_nan(WEIGHT), None, [X], "a weight or bias is not finite"),
        (WEIGHT, None, [_nan(X)], "inputs, or outputs that are wanted, are not all finite"),
        (WEIGHT, None, [X, None, X[:, :4]], "4 outputs are wanted of 16"),
    ],
)
def test_bad_input(weight, bias, rows, said):
    moments = moments_of(*rows) if rows else Moments()
    with pytest.raises(InvalidInput, match=said):
        fit_linear(weight, bias, moments, None, FitSettings("4:8"))


def test_wanted_outputs_of_layers_with_and_without_biases():
    moments = moments_of(X, wanted=related(50, 32))
    with pytest.raises(InvalidInput, match="need wanted outputs of their own"):
        fit_group([WEIGHT, WEIGHT], [None, torch.zeros(16)], moments, None, FitSettings("4:8"))


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"algorithm": "obs"}, InvalidInput, "algorithm must be one of admm, .*, got 'obs'"),
        ({"damping": -1}, InvalidInput, "damping must be a number from 0 up, got -1"),
        ({"rounds": 0}, InvalidInput, "rounds must be a whole number from 1 up, got 0"),
        ({"pattern": "9:8"}, InvalidPattern, "9:8"),
        ({"method": "best"}, UnknownMethod, "best"),
        ({"threads": 0}, InvalidInput, "threads"),
    ],
)
def test_settings_that_are_none(asked, error, said):
    with pytest.raises(error, match=said):
        FitSettings(**({"pattern": "4:8"} | asked))


def test_settings_as_a_record_are_what_decides():
    found = FitSettings("8:16", threads=2).to_dict()
    assert found == FitSettings("8:16", threads=1).to_dict()
    assert found["pattern"] == "8:16"
    assert "threads" not in found
