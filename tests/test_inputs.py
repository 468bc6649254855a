"""Every bad input is refused by the right error, in one sentence that says what and why."""

import pickle

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from masksolve import InvalidInput, InvalidPattern, MaskViolation, UnknownMethod
from masksolve.errors import InvalidScore

W = np.arange(16.0).reshape(4, 4)
FULL = np.ones((4, 4))
HALF = np.kron(np.eye(2), np.ones((2, 2)))


def planted(value, *index, shape=(4, 4), dtype=np.float64):
    weights = np.ones(shape, dtype)
    weights[index] = value
    return weights


def refused(error, words, call, *arguments, **options):
    """Raises `error`; its message begins with `words` and is one short line."""
    with pytest.raises(ms.MasksolveError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert issubclass(caught.type, error)
    assert message.startswith(words), message
    assert "\n" not in message
    assert ". " not in message
    assert not message.endswith(".")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (planted(np.nan, 1, 2), "weights[1, 2] is nan: scores must be finite"),
        (planted(np.inf, 0, 3), "weights[0, 3] is inf: scores must be finite"),
        (planted(-np.inf, 3, 0), "weights[3, 0] is -inf: scores must be finite"),
        (planted(np.nan, slice(1, 3), 2), "weights[1, 2] is nan"),  # the first of two
        (planted(np.nan, 1, 5, 0, shape=(2, 6, 7)), "weights[1, 5, 0] is nan"),
        (planted(np.inf, 2, 1, dtype=np.float16), "weights[2, 1] is inf"),
        (planted(np.nan, 2, 1, dtype=ml_dtypes.bfloat16), "weights[2, 1] is nan"),
        (planted(np.nan, 2, 1, dtype=ml_dtypes.float8_e4m3fn), "weights[2, 1] is nan"),
        (planted(-(2.0**961), 2, 1), "weights[2, 1] is -1.949"),
        (np.ones(4), "weights must have at least 2 dimensions, got 1"),
        (3.0, "weights must have at least 2 dimensions, got 0"),
        (W.astype(complex), "weights has dtype complex128: expected "),
        (W.astype(object), "weights has dtype object: expected "),
        (W.astype("<U4"), "weights has dtype <U4: expected "),
        (W.astype("m8[s]"), "weights has dtype timedelta64[s]: expected "),
        (None, "weights has dtype object: expected "),
        (planted(2**53 + 1, 0, 0, dtype=np.int64), "weights holds 9007199254740993: integers"),
        (planted(-(2**63), 0, 0, dtype=np.int64), "weights holds -9223372036854775808: "),
        (planted(2**64 - 1, 0, 0, dtype=np.uint64), "weights holds 18446744073709551615: "),
    ],
)
def test_weights(weights, words):
    refused(InvalidInput, words, ms.solve, weights, "2:4")
    if np.shape(weights) == W.shape:
        refused(InvalidInput, words, ms.certify, weights, HALF, "2:4")
        refused(InvalidInput, words, ms.repair, weights, HALF, "2:4")


@pytest.mark.parametrize("name", ["complex32", "bcomplex32"])
def test_complex_dtypes_of_ml_dtypes(name):
    if not hasattr(ml_dtypes, name):
        pytest.skip(f"this ml_dtypes has no {name}")
    weights = W.astype(getattr(ml_dtypes, name))
    refused(InvalidInput, f"weights has dtype {name}: expected ", ms.solve, weights, "2:4")


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="longdouble is float64 here")
def test_longdouble():
    refused(InvalidInput, "weights has dtype ", ms.solve, W.astype(np.longdouble), "2:4")


def test_limits_are_inclusive():
    for largest in (2.0**960, 2**53, -(2**53)):
        assert ms.solve(np.full((4, 4), largest), "2:4").status is ms.Status.OPTIMAL
    over = np.full((4, 4), np.nextafter(2.0**960, np.inf))
    words = "weights[0, 0] is 9.745314011400001e+288: scores beyond 2**960 overflow"
    refused(InvalidInput, words, ms.solve, over, "2:4")


def test_bad_scores_are_found_in_the_last_of_many_pieces():
    weights = np.ones((300, 700), np.float32)
    weights[299, 699] = np.nan
    refused(InvalidInput, "weights[299, 699] is nan", ms.solve, weights, "4:8", threads=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"axes": (0, 0)}, "axes must differ, got (0, 0) for weights with 2 "),
        ({"axes": (1, -1)}, "axes must differ, got (1, -1) "),
        ({"axes": (0, 2)}, "axis 2 is out of range for weights with 2 "),
        ({"axes": (-3, 1)}, "axis -3 is out of range for weights with 2 "),
        ({"axes": (0,)}, "axes must be two integers, got (0,)"),
        ({"axes": (0, 1, 1)}, "axes must be two integers, got (0, 1, 1)"),
        ({"axes": (0.0, 1)}, "axes must be two integers, got (0.0, 1)"),
        ({"axes": 1}, "axes must be two integers, got 1"),
        ({"score": 3}, "score must be a function or None, got int"),
        ({"score": lambda w: w[0]}, "score(weights) has shape (4,): expected "),
        ({"score": lambda w: w * np.nan}, "score(weights)[0, 0] is nan: "),
        ({"score": lambda w: None}, "score(weights) has dtype object: "),
        ({"threads": 0}, "threads must be a positive integer or None, got 0"),
        ({"threads": 1.5}, "threads must be a positive integer or None, got 1.5"),
        ({"threads": True}, "threads must be a positive integer or None, got T"),
        ({"progress": 3}, "progress must be a bool or a function, got 3"),
        ({"pattern": "5:4"}, "pattern '5:4' keeps 5 of 4: n must be at most m"),
        ({"pattern": 2}, "pattern must be a Pattern or a string like '2:4'"),
    ],
)
def test_options(options, words):
    error = InvalidPattern if "pattern" in options else InvalidInput
    given = {"pattern": "2:4"} | options
    refused(error, words, ms.solve, W, **given)
    refused(error, words, ms.certify, W, HALF, **given)
    refused(error, words, ms.repair, W, HALF, **given)


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        (FULL, MaskViolation, "row 0, columns 0 to 3, keeps 4 of 4: 2:4 takes at most 2"),
        (HALF[:, :3], InvalidInput, "mask has shape (4, 3): expected that of weights, (4, 4)"),
        (HALF[None], InvalidInput, "mask has shape (1, 4, 4): expected that of weights, (4, 4)"),
        (HALF * 2, InvalidInput, "mask[0, 0] is 2.0: a mask holds 0 and 1 only"),
        (HALF * np.nan, InvalidInput, "mask[0, 0] is nan: a mask holds 0 and 1 only"),
        (HALF.astype(str), InvalidInput, "mask has dtype <U32: expected "),
    ],
)
def test_masks(mask, error, words):
    refused(error, words, ms.certify, W, mask, "2:4")
    refused(error, words, ms.repair, W, mask, "2:4")


@pytest.mark.parametrize(
    ("method", "pattern", "words"),
    [
        ("simplex", "2:4", "unknown method 'simplex'; known are exact, "),
        (None, "2:4", "unknown method None; known are exact, "),
        ("enumerate", "2:5", "method 'enumerate' takes m up to 4, pattern '2:5' has m = 5"),
        ("greedy", "2:4,plain", "method 'greedy' solves transposable patterns only; for '2:4,p"),
    ],
)
def test_methods(method, pattern, words):
    refused(UnknownMethod, words, ms.solve, W, pattern, method=method)


@pytest.mark.parametrize("method", sorted(set(ms.METHODS) - {"exact"}))
def test_methods_without_potentials(method):
    words = f"method '{method}' has no potentials: ask for certify=True too"
    refused(InvalidInput, words, ms.solve, W, "2:4", method=method, potentials=True)


START = ms.solve(W, "2:4", potentials=True, threads=1)
JUDGED = ms.certify(W, HALF, "2:4", threads=1)
UNPROVEN = ms.solve(W, "2:4", threads=1)


@pytest.mark.parametrize(
    ("start", "options", "words"),
    [
        (START.mask, {}, "warm_start must be a MaskResult, got ndarray"),
        (JUDGED, {}, "warm_start must be a MaskResult, got Certificate"),
        (UNPROVEN, {}, "warm_start holds no potentials: solve it with potentials=True"),
        (START, {"pattern": "1:4"}, "warm_start has pattern 2:4: expected 1:4"),
        (START, {"weights": np.ones((4, 8))}, "warm_start has shape (4, 4): expected (4, 8)"),
        (START, {"axes": (1, 0)}, "warm_start has axes (0, 1): expected (1, 0)"),
        (START, {"method": "greedy"}, "method 'greedy' makes no use of warm_start"),
    ],
)
def test_warm_starts(start, options, words):
    given = {"weights": W, "pattern": "2:4", "warm_start": start} | options
    refused(InvalidInput, words, ms.solve, **given)


def test_ragged_lists_are_refused_in_one_sentence():
    with pytest.raises(InvalidInput, match="not a rectangular array") as caught:
        ms.solve([[1, 2], [3]], "2:4")
    assert ". " not in str(caught.value)


def test_masked_arrays_and_unreadable_objects_are_refused():
    with pytest.raises(InvalidInput, match="masked array: fill it first"):
        ms.solve(np.ma.masked_less(np.eye(4), 1), "2:4")

    class Tensor:
        def __array__(self, *args, **kwargs):
            raise RuntimeError("it requires grad. Use detach(). Then try again.")

    with pytest.raises(InvalidInput, match=r"cannot be read as an array: it requires grad$"):
        ms.solve(Tensor(), "2:4")


def test_a_bad_score_knows_where_it_is_in_the_whole_and_can_be_pickled():
    weights = np.ones((8, 8))
    weights[2, 5] = np.nan
    with pytest.raises(InvalidScore) as caught:
        ms.solve(weights, "2:4")
    error = pickle.loads(pickle.dumps(caught.value.within("shard", (16, 0))))
    assert str(error) == "shard[18, 5] is nan: scores must be finite"
    assert isinstance(error, ms.InvalidInput)
