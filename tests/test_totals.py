"""The sum of magnitudes: that of NumPy in float64, whatever the dtype and the pieces."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve.totals import Total

DTYPES = [
    np.float16,
    np.float32,
    np.float64,
    ml_dtypes.bfloat16,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e5m2,
    np.int8,
    np.uint8,
    np.int16,
    np.int32,
    np.int64,
    np.bool_,
]


def total(values, step):
    found = Total()
    for start in range(0, len(values), step):
        found.add(values[start : start + step])
    return found.value


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@given(st.integers(0, 20000), st.integers(0, 2**32 - 1), st.sampled_from([4096, 8192]))
def test_sums_are_those_of_numpy_in_any_pieces(dtype, count, seed, step):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 256, count * np.dtype(dtype).itemsize, dtype=np.uint8)
    values = (words & 1).view(dtype) if dtype is np.bool_ else words.view(dtype)
    with np.errstate(invalid="ignore"):
        magnitudes = np.abs(values.astype(np.float64))
    fine = np.isfinite(magnitudes) & (magnitudes < 1e30)
    values, magnitudes = values[fine], magnitudes[fine]
    assert total(values, step) == total(values, len(values) + 1)
    assert total(values, step) == pytest.approx(magnitudes.sum(), rel=5e-7)


@pytest.mark.parametrize("dtype", DTYPES[:1] + DTYPES[3:6], ids=lambda dtype: np.dtype(dtype).name)
def test_every_value_of_a_short_format(dtype):
    """One by one, the smallest and the largest too."""
    size = np.dtype(dtype).itemsize
    values = np.arange(2 ** (8 * size)).astype(f"u{size}").view(dtype)
    values = values[np.isfinite(values.astype(np.float32))]
    for value in values[:: 1 if size == 1 else 97]:
        assert total(np.array([value]), 16) == abs(float(value))


def test_sums_beyond_float32():
    values = np.full(1000, 3e38, dtype=ml_dtypes.bfloat16)
    assert total(values, 4096) == 1000 * float(values[0])
