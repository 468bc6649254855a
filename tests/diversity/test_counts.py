"""Counts of masks: published sequences, brute force, and the formulas beside them."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import masksolve as ms
from masksolve import diversity
from masksolve.diversity.tables import Lines, count_lines, primes_for
from tests import naive

# Published: OEIS A001499, A008300 (its third column), A058528, and A058527 for n = m/2.
LINE_SUM_2 = [1, 6, 90, 2040, 67950, 3110940, 187530840]  # from 2 x 2
LINE_SUM_3 = [1, 24, 2040, 297200, 68938800, 24046189440]  # from 3 x 3
LINE_SUM_4 = [1, 120, 67950, 68938800, 116963796250, 315031400802720]  # from 4 x 4
HALF = {
    2: 2,
    4: 90,
    6: 297200,
    8: 116963796250,
    10: 6736218287430460752,
    12: 64051375889927380035549804336,
    16: 34812290428176298285394893936773707951192224124239796250,
}


def square(n, m):
    return diversity.count(f"{n}:{m}", shape=(m, m))


@pytest.mark.parametrize(("n", "known"), [(2, LINE_SUM_2), (3, LINE_SUM_3), (4, LINE_SUM_4)])
def test_published_sequences(n, known):
    assert [square(n, m) for m in range(n, n + len(known))] == known


def test_published_sequence_of_halves():
    assert {m: square(m // 2, m) for m in HALF} == HALF


@pytest.mark.parametrize("m", range(1, 17))
def test_pruned_and_kept_can_be_swapped(m):
    """Both sides are counted; the public function would count only the cheaper."""
    for n in range(m + 1):
        other = count_lines(Lines(m, m, m - n, m - n))
        assert count_lines(Lines(m, m, n, n)) == other
    assert square(1, m) == math.factorial(m)


@pytest.mark.parametrize("at_most", [False, True])
@pytest.mark.parametrize("h", range(1, 5))
@pytest.mark.parametrize("w", range(1, 5))
def test_brute_force_of_small_tiles(h, w, at_most):
    numbers = np.arange(1 << (h * w))
    masks = (numbers[:, None] >> np.arange(h * w) & 1).reshape(-1, h, w)
    rows, columns = masks.sum(axis=2), masks.sum(axis=1)
    for r, c in product(range(w + 2), range(h + 2)):
        fits = np.less_equal if at_most else np.equal
        fit = fits(rows, r).all(axis=1) & fits(columns, c).all(axis=1)
        assert count_lines(Lines(h, w, r, c, at_most)) == fit.sum()


def test_brute_force_of_five_by_five():
    numbers = np.arange(1 << 25, dtype=np.int32)
    rows = [(numbers >> 5 * i & 31).astype(np.int8) for i in range(5)]
    ones = np.array([k.bit_count() for k in range(32)], dtype=np.int8)
    most, least = np.zeros(1 << 25, dtype=np.int8), np.full(1 << 25, 5, dtype=np.int8)
    sums = (sum(row >> j & 1 for row in rows) for j in range(5))
    for line in (*sums, *(ones[row] for row in rows)):
        np.maximum(most, line, out=most)
        np.minimum(least, line, out=least)
    for n in range(1, 6):
        for at_most, fit in ((False, (most <= n) & (least >= n)), (True, most <= n)):
            pattern = ms.Pattern(n, 5, at_most=at_most)
            assert diversity.count(pattern, shape=(5, 5)) == fit.sum()


@pytest.mark.parametrize(("n", "m"), [(1, 3), (2, 4), (3, 4)])
@pytest.mark.parametrize("at_most", [False, True])
def test_the_solvers_masks_are_counted(n, m, at_most):
    found = diversity.count(ms.Pattern(n, m, at_most=at_most), (m, m))
    assert found == len(naive.valid_masks(n, m, at_most))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_rows_and_columns_can_be_swapped(h, w, r, c, at_most):
    one, other = Lines(h, w, r, c, at_most), Lines(w, h, c, r, at_most)
    assert count_lines(one) == count_lines(other)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 7), st.integers(0, 7))
def test_rows_and_columns_bound_the_count(h, w, r, c):
    lines = Lines(h, w, r, c)
    found = count_lines(lines)
    assert found <= math.comb(w, r) ** h
    assert found <= math.comb(h, c) ** w
    assert found <= count_lines(Lines(h, w, r, c, at_most=True))
    if lines.possible():
        assert found < math.prod(primes_for(lines))


def test_arrays_are_counted_tile_by_tile():
    assert diversity.count("2:4", (8, 12)) == 90**6
    assert diversity.count("2:4", (3, 5, 8, 4)) == 90**30
    assert diversity.count("2:4,plain", (3, 8)) == 6**6
    assert diversity.count("2:4,plain,at-most", (1, 4)) == 11
    assert diversity.count("2:4", (0, 8)) == 1
    assert diversity.count("2:4", np.array([8, 12])) == 90**6


def test_partial_tiles_hold_at_most_n():
    edge = count_lines(Lines(4, 2, 2, 2, at_most=True))
    corner = count_lines(Lines(1, 2, 2, 2, at_most=True))
    below = count_lines(Lines(1, 4, 2, 2, at_most=True))
    assert diversity.count("2:4", (5, 6)) == 90 * edge * below * corner
    assert (corner, below) == (4, 11)
    assert diversity.count("2:4,plain", (1, 7)) == 6 * 7


def test_tiles_that_are_not_square():
    assert diversity.matrices(3, 3, 1, 1) == 6
    assert diversity.matrices(8, 4, 2, 4) == diversity.matrices(4, 8, 4, 2)
    assert diversity.matrices(4, 6, 3, 2) == diversity.matrices(4, 6, 3, 4 - 2)
    assert diversity.matrices(4, 6, 2, 2) == 0
    assert diversity.matrices(4, 6, 2, 2, at_most=True) > 0
    assert [diversity.matrices(0, 3, r, 0) for r in (0, 1)] == [1, 1]
    assert diversity.matrices(0, 3, 1, 1) == 0
    assert diversity.matrices(0, 3, 1, 1, at_most=True) == 1


def test_logarithms_agree_with_counts():
    for pattern, shape in (("2:4", (12, 12)), ("8:16", (16, 32)), ("2:4,plain", (5, 6))):
        expected = math.log10(diversity.count(pattern, shape))
        assert diversity.log10(pattern, shape) == pytest.approx(expected, rel=1e-12)
    expected = 65536 * math.log10(HALF[16])
    assert diversity.log10("8:16", (4096, 4096)) == pytest.approx(expected, rel=1e-12)


def test_entropy_is_largest_for_half_and_symmetric():
    curve = [diversity.bits(ms.Pattern(n, 12)) for n in range(1, 12)]
    assert max(curve) == curve[5]
    assert curve == pytest.approx(curve[::-1], rel=1e-12)
    assert diversity.bits("8:8") == 0
    assert all(
        diversity.bits(f"{n}:{m}") < diversity.bits(f"{n}:{m},plain") < 1
        for n, m in ((1, 2), (2, 4), (4, 8), (8, 16))
    )


def test_the_papers_formula_counts_too_many_and_reverses_the_order():
    shape = (8, 8)
    assert diversity.hubara("2:4", (4, 4)) == 144
    papers = diversity.hubara("4:8", shape)
    assert papers == math.prod(math.factorial(k) for k in range(5, 9))
    plain = diversity.count("2:4,plain", shape)
    assert diversity.hubara("2:4,plain", shape) == plain == 6**16
    assert diversity.count("4:8", shape) < plain < papers
    assert diversity.log10_hubara("4:8", (80, 80)) == pytest.approx(100 * math.log10(papers))


def test_unstructured():
    assert diversity.unstructured(64, 32) == math.comb(64, 32)
    for size, kept in ((64, 32), (20_000, 7), (20_000, 10_000)):
        expected = math.log10(math.comb(size, kept))
        assert diversity.log10_unstructured(size, kept) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (3, 5), (4, 4)])
def test_sequential_masks_by_brute_force(n, m):
    rows = [[not s <= j < s + m - n for j in range(m)] for s in range(n + 1)][: n + 1]
    rows = list(dict.fromkeys(map(tuple, rows)))
    masks = np.array(list(product(rows, repeat=m)))
    down = {tuple(row) for row in rows}
    fit = sum(all(tuple(column) in down for column in mask.T) for mask in masks)
    assert diversity.sequential(f"{n}:{m}", (m, m)) == fit
    assert diversity.sequential(f"{n}:{m},plain", (1, m)) == len(rows)


def test_what_can_be_counted():
    assert all(diversity.is_exact(ms.Pattern(n, 16)) for n in range(1, 17))
    assert all(diversity.is_exact(ms.Pattern(n, 16, at_most=True)) for n in range(1, 17))
    assert [n for n in range(1, 33) if diversity.is_exact(ms.Pattern(n, 32))][:4] == [1, 2, 3, 4]
    assert not diversity.is_exact("16:32")
    assert diversity.is_exact("32:64,plain")


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: diversity.count("4:2", (4, 4)), "n must be at most m"),
        (lambda: diversity.count("2:4", (4,)), r"shape must be two or more sizes.*got \(4,\)"),
        (lambda: diversity.count("2:4", (-4, 4)), "shape must be two or more sizes"),
        (lambda: diversity.count("2:4", 16), "shape must be two or more sizes"),
        (lambda: diversity.count("2:4", (4.0, 4)), "shape must be two or more sizes"),
        (lambda: diversity.count("16:32", (32, 32)), "too many to count exactly"),
        (lambda: diversity.log10("16:32,at-most", (32, 32)), "no formula is known"),
        (lambda: diversity.log10("16:32", (32, 31)), "no formula is known"),
        (lambda: diversity.hubara("2:4", (4, 6)), "is not made of full tiles of 4 x 4"),
        (lambda: diversity.hubara("2:4,at-most", (4, 4)), "the paper counts exactly n only"),
        (lambda: diversity.sequential("8:32", (32, 32)), "m up to 16 only"),
        (lambda: diversity.matrices(4, -4, 2, 2), "columns must be an integer of at least 0"),
        (lambda: diversity.matrices(32, 32, 16, 16), "too many to count exactly"),
        (lambda: diversity.unstructured(4, 5), "cannot keep 5 of 4 weights: expected 0 to 4"),
        (lambda: diversity.log10_unstructured(4, -1), "cannot keep -1 of 4 weights"),
    ],
)
def test_bad_input_gets_one_sentence(call, complaint):
    with pytest.raises(ms.MasksolveError, match=complaint) as error:
        call()
    assert "\n" not in str(error.value)
