"""The hash by which a mask knows its weights: XXH3-128 of their bytes.

The bytes are those of a safetensors file: C order, little endian, nothing between the
entries. So the hash of an array is that of the tensor in a file, and of any pieces of it
taken in order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAME", "WeightsHash", "hash_weights"]

NAME = "xxh3_128"
PIECE_BYTES = 1 << 24


class WeightsHash:
    """The hash of bytes that come piece by piece.

    Examples
    --------
    >>> whole, pieces = WeightsHash(), WeightsHash()
    >>> whole.update(b"weights")
    >>> pieces.update(b"wei")
    >>> pieces.update(b"ghts")
    >>> pieces.text == whole.text
    True
    """

    def __init__(self) -> None:
        from xxhash import xxh3_128

        self._state = xxh3_128()

    def update(self, buffer: bytes | bytearray | memoryview | NDArray[Any]) -> None:
        """Take the next bytes.

        Parameters
        ----------
        buffer : bytes-like or ndarray
            An array counts as its bytes in C order, little endian.
        """
        if isinstance(buffer, np.ndarray):
            for piece in _pieces(buffer):
                self._state.update(piece)
        else:
            self._state.update(buffer)

    @property
    def text(self) -> str:
        """The hash of what came so far, as ``"xxh3_128:<32 hexadecimal digits>"``."""
        return f"{NAME}:{self._state.hexdigest()}"


def hash_weights(array: NDArray[Any]) -> str:
    """Return the hash of an array's bytes as a file would hold them.

    Parameters
    ----------
    array : ndarray
        In any memory order; it is hashed in C order, little endian.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> hash_weights(weights)
    'xxh3_128:2d0408b485dd77b108c27fcd95d1fea5'
    >>> hash_weights(weights.T.copy().T) == hash_weights(weights)
    True
    """
    state = WeightsHash()
    state.update(array)
    return state.text


def _pieces(array: NDArray[Any]) -> Iterator[memoryview]:
    """Yield the bytes of an array in order, copying a piece at a time only if need be."""
    if array.flags.c_contiguous and _is_little(array.dtype):
        if array.size:
            # As bytes: NumPy exports no buffers of bfloat16 and float8.
            yield array.reshape(-1).view(np.uint8).data
    elif array.nbytes <= PIECE_BYTES or array.ndim <= 1:
        yield from _pieces(_little(array))
    else:
        for part in array:
            yield from _pieces(part)


def _little(array: NDArray[Any]) -> NDArray[Any]:
    dtype = array.dtype if _is_little(array.dtype) else array.dtype.newbyteorder("<")
    return array.astype(dtype, order="C")


def _is_little(dtype: np.dtype[Any]) -> bool:
    native = "<" if sys.byteorder == "little" else ">"
    return dtype.itemsize == 1 or dtype.byteorder.replace("=", native) in "<|"
