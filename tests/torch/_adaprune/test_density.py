from fractions import Fraction
from itertools import product

import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.torch._adaprune.density import zeros_at_least
from tests.torch._adaprune.models import layer_with_zeros


@pytest.mark.parametrize("zeros", [Fraction(0), Fraction(1, 3), Fraction(4, 5), Fraction(1)])
@pytest.mark.parametrize("m", [1, 4, 8])
def test_probabilities_are_those_of_all_lines_there_are(zeros, m):
    expected = [Fraction(0)] * (m + 1)
    for line in product([True, False], repeat=m):
        chance = Fraction(1)
        for zero in line:
            chance *= zeros if zero else 1 - zeros
        for k in range(sum(line) + 1):
            expected[k] += chance
    assert zeros_at_least(float(zeros), m) == pytest.approx([float(p) for p in expected])


def test_the_worked_example():
    # 80 % zeros, m = 8: P_4 = 0.98959..., P_5 = 0.94371...; by hand from the binomials.
    p4 = 1 - sum(c * 4**k for k, c in enumerate([1, 8, 28, 56])) / 5**8
    p5 = p4 - 70 * 4**4 / 5**8
    assert (p4, p5) == pytest.approx((0.98959, 0.94372), abs=1e-5)
    assert mst.kept_by_density(0.8, 8) == 4
    assert mst.kept_by_density(0.8, 8, confidence=0.94) == 3
    assert mst.kept_by_density(0.8, 8, confidence=0.99) == 5


@pytest.mark.parametrize(("zeros", "n"), [(0.0, 8), (0.3, 8), (0.5, 6), (0.9, 2), (1.0, 1)])
def test_n_for_a_share_of_zeros(zeros, n):
    assert mst.kept_by_density(zeros, 8) == n


def test_more_zeros_never_keep_more():
    for m in (4, 8, 16, 32, 64):
        found = [mst.kept_by_density(k / 100, m) for k in range(101)]
        assert found == sorted(found, reverse=True)
        assert (found[0], found[-1]) == (m, 1)


def test_a_weight_counts_its_own_zeros():
    layer = layer_with_zeros(0.8)
    zeros = float((layer.weight == 0).double().mean())
    assert mst.kept_by_density(layer.weight, 8) == mst.kept_by_density(zeros, 8)


def test_models_take_patterns_by_their_density():
    torch.manual_seed(0)
    first, second, third = map(layer_with_zeros, (0.9, 0.78, 0.1))
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second, third)
    unchanged = model[3].weight.clone()
    plain = mst.ByDensity(4, transposable=False)
    assert str(plain("", model[0])) == "2:4,plain"
    pruned = mst.adaprune(model, [torch.randn(256, 64)], mst.ByDensity(8))
    assert [layer.pattern for layer in pruned.layers] == ["2:8", "4:8"]
    for name, pattern in (("0.weight", "2:8"), ("2.weight", "4:8")):
        ms.check_mask(pruned.masks[name].numpy(), pattern)
    assert torch.equal(model[3].weight, unchanged)


def test_packed_attention_counts_all_its_parts():
    attention = torch.nn.MultiheadAttention(16, 2)
    attention.in_proj_weight.data[:32] = 0  # two thirds
    assert str(mst.ByDensity(8)("", attention)) == f"{mst.kept_by_density(2 / 3, 8)}:8"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1.5, 8), "share of zeros must be in .0, 1., got 1.5"),
        ((float("nan"), 8), "share of zeros"),
        (("much", 8), "share of zeros"),
        ((0.5, 8, 1.0), "confidence must be between 0 and 1, got 1.0"),
        ((0.5, 65), "m must be at most 64"),
        ((0.5, 0), "n must be at most m"),
    ],
)
def test_bad_input(arguments, said):
    with pytest.raises(ms.MasksolveError, match=said):
        mst.kept_by_density(*arguments)
