"""Weights that are not finite: the sentence about them, and none of NumPy's beside it."""

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from tests.storage.files import write_file

BAD = {  # quiet and signalling NaN, infinity
    "float32": (np.float32, np.uint32, [0x7FC00000, 0x7F800001, 0x7F800000]),
    "bfloat16": (ml_dtypes.bfloat16, np.uint16, [0x7FC0, 0x7F81, 0x7F80]),
    "float16": (np.float16, np.uint16, [0x7E00, 0x7C01, 0x7C00]),
    "float8_e5m2": (ml_dtypes.float8_e5m2, np.uint8, [0x7E, 0x7D, 0x7C]),
    "float8_e4m3": (ml_dtypes.float8_e4m3fn, np.uint8, [0x7F, 0xFF]),
}


@pytest.fixture(params=[(name, bits) for name, (*_, all_) in BAD.items() for bits in all_])
def bad(request, tmp_path, monkeypatch):
    """A model with one bad weight, and masks for it."""
    name, bits = request.param
    dtype, integers, _ = BAD[name]
    weights = np.random.default_rng(0).normal(size=(12, 16)).astype(dtype)
    monkeypatch.chdir(tmp_path)
    ms.save_masks("masks", {"weight": ms.solve(weights, "2:4")})
    weights.view(integers)[5, 3] = bits
    write_file(tmp_path / "bad", {"weight": weights})
    return weights


@pytest.mark.parametrize(
    "command",
    [
        "solve bad out --pattern 2:4",
        "solve bad out --pattern 2:5 --tensors weight",
        "solve bad out --pattern 2:4,plain",
        "solve bad out --pattern 2:4 --method greedy",
        "solve bad out --pattern 2:4 --apply",
        "certify bad masks",
        "plan bad --patterns 2:4",
        "plan bad --patterns 2:4 --layers --sample 2",
    ],
)
def test_it_is_refused_in_one_sentence(bad, refused, command):
    refused(*command.split(), words="bad: tensor 'weight': weights[5, 3] finite")


def test_its_zeros_are_counted_in_silence(bad, run, capsys):
    run("check", "bad", "--pattern", "16:16")
    assert ms.mask_of_zeros(bad, "16:16").all()
