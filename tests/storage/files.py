"""safetensors files by hand: a writer that can lie, and readers that share no code of ours."""

import json
from contextlib import contextmanager

import ml_dtypes
import numpy as np
import pytest
import safetensors

from masksolve.errors import FileFormatError

INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
FLOATS = ["float16", "float32", "float64"]
CODES = {
    "bool": "BOOL",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "complex64": "C64",
    **{name: name.replace("uint", "U").replace("int", "I") for name in INTEGERS},
    **{name: name.replace("float", "F") for name in FLOATS},
}
"""What the format calls each dtype of NumPy's and ml_dtypes'."""

OTHERS = {"float8_e8m0fnu": "F8_E8M0"}
"""What no array of ours is made of."""

DTYPES = {code: np.dtype(getattr(ml_dtypes, name, name)) for name, code in CODES.items()}


NAMES = {code: name for name, code in (CODES | OTHERS).items()}


def entry(code, shape, offsets):
    """What a header says of a tensor."""
    return {"dtype": code, "shape": shape, "data_offsets": offsets}


def write_raw(path, header, body=b""):
    """Write any header (bytes, or what becomes JSON) before any body."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + body)
    return path


def write_file(path, tensors, metadata=None):
    """Write arrays of any dtype, in order."""
    header, body = {"__metadata__": metadata} if metadata else {}, b""
    for name, array in tensors.items():
        offsets = [len(body), len(body) + array.nbytes]
        header[name] = entry((CODES | OTHERS)[array.dtype.name], array.shape, offsets)
        body += array.tobytes()
    return write_raw(path, header, body)


def read_file(path):
    """Read arrays of any dtype through the safetensors library, in no order."""
    return {
        name: np.frombuffer(held["data"], np.dtype(NAMES[held["dtype"]])).reshape(held["shape"])
        for name, held in safetensors.deserialize(path.read_bytes())
    }


def read_metadata(path):
    with safetensors.safe_open(path, framework="np") as file:
        return file.metadata()


def same_bits(a, b):
    """Tell whether two arrays agree in dtype, shape and every bit (NaN and -0.0 too)."""
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def contents(folder):
    """Take a snapshot of a folder: every file in it, hidden ones too, and its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def unchanged(folder, look=contents):
    """Expect that nothing of a folder is written, removed or altered."""
    before = look(folder)
    yield
    assert look(folder) == before


def some_bits(rng, code, shape):
    """Make an array of random bits: NaN, infinities and negative zeros among them."""
    if code == "BOOL":
        return np.asarray(rng.random(shape) < 0.5)
    dtype = DTYPES[code]
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)


@contextmanager
def refused(*words):
    """Expect a FileFormatError of one line that holds every word."""
    with pytest.raises(FileFormatError) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in map(str, words) if word not in message] == [], message
