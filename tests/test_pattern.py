import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve import InvalidPattern, MasksolveError, Pattern


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("2:4", Pattern(2, 4)),
        (" 2 : 4 ", Pattern(2, 4)),
        ("16:32,plain", Pattern(16, 32, transposable=False)),
        ("1:1,at-most", Pattern(1, 1, at_most=True)),
        ("2:4, at-most, plain", Pattern(2, 4, transposable=False, at_most=True)),
        (Pattern(3, 8), Pattern(3, 8)),
    ],
)
def test_parse(text, pattern):
    assert Pattern.parse(text) == pattern


@given(st.integers(1, 64), st.data(), st.booleans(), st.booleans())
def test_text_reads_back(m, data, transposable, at_most):
    n = data.draw(st.integers(1, m))
    pattern = Pattern(n, m, transposable=transposable, at_most=at_most)
    assert Pattern.parse(str(pattern)) == pattern == pickle.loads(pickle.dumps(pattern))
    assert pattern.density == n / m
    assert pattern.tile_shape == (m if transposable else 1, m)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5:4", "keeps 5 of 4: n must be at most m"),
        ("0:4", "keeps 0 per line: n must be at least 1"),
        ("-1:4", "keeps -1 per line: n must be at least 1"),
        ("2:65", "m = 65: m must be at most 64"),
        ("1:0", "n must be at most m"),
        ("2:4:8", "'2:4:8' is not of the form 'n:m'"),
        ("a:b", "'a:b' is not of the form 'n:m'"),
        ("2.5:4", "'2.5:4' is not of the form 'n:m'"),
        ("2:4,transposable", "is not of the form"),
        ("2:4,", "is not of the form"),
        ("", "'' is not of the form"),
        (None, "must be a Pattern or a string like '2:4', got NoneType"),
        ((2, 4), "must be a Pattern or a string like '2:4', got tuple"),
    ],
)
def test_refused_texts(text, words):
    with pytest.raises(InvalidPattern, match=r"^pattern ") as caught:
        Pattern.parse(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("n", "m", "words"),
    [
        (2.0, 4, "pattern n must be an integer, got 2.0"),
        (True, 4, "pattern n must be an integer, got True"),
        (2, "4", "pattern m must be an integer, got '4'"),
        (2, None, "pattern m must be an integer, got None"),
        (3, 2, "pattern '3:2' keeps 3 of 2"),
    ],
)
def test_refused_numbers(n, m, words):
    with pytest.raises(InvalidPattern) as caught:
        Pattern(n, m)
    assert words in str(caught.value)


def test_errors_are_value_errors():
    assert issubclass(InvalidPattern, MasksolveError)
    assert issubclass(MasksolveError, ValueError)


def test_numpy_integers_become_plain_ones_and_patterns_stay_as_made():
    pattern = Pattern(np.int64(2), np.uint8(4))
    assert type(pattern.n) is type(pattern.m) is int
    assert hash(pattern) == hash(Pattern(2, 4))
    with pytest.raises(AttributeError):
        pattern.n = 3
