"""Hashes of weights are those of the bytes that a file holds, however they come."""

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from masksolve.storage import hashing
from masksolve.storage.hashing import WeightsHash, hash_weights
from tests.storage.files import DTYPES, some_bits


def expected(data):
    return f"xxh3_128:{xxhash.xxh3_128(data).hexdigest()}"


@pytest.mark.parametrize("code", [code for code in DTYPES if code != "C64"])
def test_the_bytes_of_an_array_of_any_dtype(rng, code):
    array = some_bits(rng, code, (7, 5))
    assert hash_weights(array) == expected(array.tobytes())


def test_the_bytes_that_safetensors_writes(rng):
    array = rng.normal(size=(8, 6)).astype(np.float32)
    assert hash_weights(array) == expected(safetensors.numpy.save({"w": array})[-array.nbytes :])


STRIDED = [lambda a: a.T, lambda a: a[::-1, ::2], lambda a: a.transpose(2, 0, 1), np.asfortranarray]
PARTS = [lambda a: a[0, :, 0], lambda a: a[1, 2, 3], lambda a: a[:0]]
TYPES = [lambda a: a.astype("<f4"), lambda a: a.astype(">f4")]
TURNED = [lambda a: a.astype(">f4").T, lambda a: a.astype(ml_dtypes.bfloat16).T]


@pytest.mark.parametrize("limit", [1, 64, 1 << 24])
@pytest.mark.parametrize("view", [*STRIDED, *PARTS, *TYPES, *TURNED])
def test_views_and_byte_orders_count_as_they_would_be_written(rng, monkeypatch, view, limit):
    monkeypatch.setattr(hashing, "PIECE_BYTES", limit)
    array = np.asarray(view(rng.normal(size=(4, 5, 6)).astype(np.float32)))
    plain = np.array(array.tolist(), dtype=array.dtype.newbyteorder("<"), ndmin=array.ndim)
    assert hash_weights(array) == expected(plain.tobytes())
    assert hash_weights(array) == hash_weights(np.ascontiguousarray(array))


@given(st.lists(st.binary()))
def test_pieces_in_order_are_the_whole(pieces):
    state = WeightsHash()
    for k, piece in enumerate(pieces):
        kinds = (bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8))
        state.update(kinds[k % 4](piece))
    assert state.text == expected(b"".join(pieces))


def test_a_difference_of_one_bit_is_seen(rng):
    array = rng.normal(size=(8, 8))
    other = array.copy()
    other.view(np.uint8)[3, 7] ^= 1
    assert hash_weights(array) != hash_weights(other)
    assert hash_weights(np.zeros(2)) != hash_weights(-np.zeros(2))
