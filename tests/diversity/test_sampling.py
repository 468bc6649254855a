"""Random masks and masks as integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import masksolve as ms
from masksolve import diversity


def numbers(masks, m):
    """Write tiles as integers, to tell them apart without the code under test."""
    tiles = masks.reshape(-1, m * m)
    return tiles @ (1 << np.arange(m * m, dtype=np.int64))


def uniform(masks, m, kinds):
    """Give the chi-square test's p-value for all of so many kinds being alike likely."""
    _, counts = np.unique(numbers(masks, m), return_counts=True)
    assert len(counts) <= kinds
    counts = np.concatenate([counts, np.zeros(kinds - len(counts), dtype=int)])
    return stats.chisquare(counts).pvalue


def stack(pattern, tiles, rng, **options):
    m = ms.Pattern.parse(pattern).m
    return diversity.sample(pattern, (tiles, m, m), rng, **options)


@pytest.mark.parametrize(
    ("pattern", "tiles", "kinds", "options"),
    [("2:4", 9000, 90, {}), ("2:5", 20_000, 2040, {}), ("2:4", 9000, 90, {"trades": 200})],
    ids=["the ninety masks", "masks of five", "the chain"],
)
def test_masks_are_alike_likely(pattern, tiles, kinds, options):
    masks = stack(pattern, tiles, 0, **options)
    assert uniform(masks, masks.shape[-1], kinds) > 1e-3


@pytest.mark.parametrize("sampler", ["greedy", "few trades"])
def test_a_biased_sampler_fails(sampler):
    rng = np.random.default_rng(3)
    if sampler == "greedy":
        masks = ms.solve(rng.random((36000, 4)), "2:4").mask.reshape(-1, 4, 4)
        masks[:600] = masks[0]
    else:
        masks = stack("2:4", 9000, rng, trades=2)
    assert uniform(masks, 4, 90) < 1e-9


def overlaps(masks):
    """Sum over pairs of rows of the squared number of columns that both keep."""
    both = np.einsum("tij,tkj->tik", masks.astype(float), masks)
    return (both**2).sum(axis=(1, 2))


def test_the_chain_agrees_with_the_exact_draw_at_8_16():
    exact, chain = stack("8:16", 2000, 4), stack("8:16", 2000, 5, trades=512)
    assert stats.ks_2samp(overlaps(exact), overlaps(chain)).pvalue > 1e-3
    start = stack("8:16", 2000, 6, trades=0)
    assert (start == start[0]).all()
    agreement = (chain == start).mean(axis=(1, 2))
    assert abs(agreement.mean() - 0.5) < 4 * agreement.std() / 2000**0.5


def test_the_chain_has_mixed_at_16_32():
    default, longer = stack("16:32", 1000, 7), stack("16:32", 1000, 8, trades=8192)
    assert stats.ks_2samp(overlaps(default), overlaps(longer)).pvalue > 1e-3
    agreement = (default == stack("16:32", 1, 0, trades=0)).mean(axis=(1, 2))
    assert abs(agreement.mean() - 0.5) < 4 * agreement.std() / 1000**0.5


@pytest.mark.parametrize("pattern", ["2:4", "3:7", "8:16", "16:32", "3:32", "2:4,plain"])
def test_masks_obey_and_every_entry_is_alike_likely(pattern):
    p = ms.Pattern.parse(pattern)
    mask = diversity.sample(pattern, (3, 4 * p.m, 8 * p.m), rng=9)
    ms.check_mask(mask, p)
    tiles = mask.reshape(3, 4, p.m, 8, p.m).mean(axis=(0, 1, 3))
    spread = (p.density * (1 - p.density) / 96) ** 0.5
    assert abs(tiles - p.density).max() < 6 * spread


def test_seeds_repeat_and_differ():
    one, same, other = (diversity.sample("4:8", (64, 64), rng=k) for k in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("pattern", ["1:1", "1:3", "2:3", "2:4", "4:4", "3:4", "2:5"])
def test_all_masks_have_a_number_and_all_numbers_a_mask(pattern):
    m = ms.Pattern.parse(pattern).m
    total = diversity.count(pattern, (m, m))
    masks = [diversity.unrank(k, pattern, (m, m)) for k in range(total)]
    assert len({mask.tobytes() for mask in masks}) == total
    assert [diversity.rank(mask, pattern) for mask in masks] == list(range(total))


@pytest.mark.parametrize("pattern", ["4:8", "8:16", "13:16"])
@given(data=st.data())
@settings(max_examples=50)
def test_numbers_come_back(pattern, data):
    m = ms.Pattern.parse(pattern).m
    k = data.draw(st.integers(0, diversity.count(pattern, (m, m)) - 1))
    mask = diversity.unrank(k, pattern, (m, m))
    ms.check_mask(mask, pattern)
    assert diversity.rank(mask, pattern) == k


@pytest.mark.parametrize("pattern", ["4:8", "8:16"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_masks_come_back(pattern, seed):
    """From a draw that knows nothing of numbers: the chain's."""
    p = ms.Pattern.parse(pattern)
    mask = diversity.sample(pattern, (p.m, 2 * p.m), seed, trades=100)
    number = diversity.rank(mask, pattern)
    assert 0 <= number < diversity.count(pattern, mask.shape)
    np.testing.assert_array_equal(diversity.unrank(number, pattern, mask.shape), mask)


def test_arrays_are_numbers_in_base_count():
    mask = diversity.sample("2:4", (2, 8, 4), rng=0)
    tiles = mask.reshape(4, 4, 4)
    expected = 0
    for tile in tiles:
        expected = 90 * expected + diversity.rank(tile, "2:4")
    assert diversity.rank(mask, "2:4") == expected
    assert diversity.rank(np.zeros((0, 4), dtype=bool), "2:4") == 0


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: diversity.unrank(90, "2:4", (4, 4)), "number 90 is out of range: '2:4' has"),
        (lambda: diversity.unrank(-1, "2:4", (4, 4)), "number -1 is out of range"),
        (lambda: diversity.unrank(0, "16:32", (32, 32)), "too many to count exactly"),
        (lambda: diversity.unrank(0, "2:4,plain", (4, 4)), "no method to unrank masks of"),
        (lambda: diversity.rank(np.eye(4), "2:4"), "row 0"),
        (lambda: diversity.rank(np.eye(6), "2:4"), r"masks of shape \(6, 6\): expected full"),
        (lambda: diversity.sample("2:4,at-most", (4, 4)), "no method to sample masks of"),
        (lambda: diversity.sample("2:4", (4, 6)), "expected full tiles of 4 x 4"),
        (lambda: diversity.sample("2:4", (4, 4), trades=-1), "trades must be 0 or more"),
    ],
)
def test_bad_input_gets_one_sentence(call, complaint):
    with pytest.raises(ms.MasksolveError, match=complaint):
        call()
