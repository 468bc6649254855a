"""safetensors files one tensor at a time.

The format is an 8-byte length, a JSON header padded with spaces, then the tensors'
bytes. The safetensors library checks a file when it is opened; it can neither hand
out bfloat16 or float8 as NumPy arrays nor write without holding every tensor, so the
bytes are read and written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from masksolve.errors import FileFormatError, naming
from masksolve.storage.atomic import whole_file

__all__ = [
    "DTYPES",
    "NUMBERS",
    "OTHERS",
    "TensorFile",
    "TensorSpec",
    "TensorWriter",
    "as_dtype",
    "as_number_dtype",
    "as_tensor",
    "describe_dtype",
    "make_header",
    "refuse_dtype",
    "write_tensors",
]

DTYPES: Mapping[str, str] = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "I64": "int64",
    "U64": "uint64",
    "F64": "float64",
}
PARTS: Mapping[str, str] = {"F4": "float4_e2m1fn", "F8_E8M0": "float8_e8m0fnu"}
"""What weights are made of, and no weights: codes one to a byte, and powers of two."""
NUMBERS = frozenset({*DTYPES, "F8_E8M0"}) - {"BOOL"}
"""What scales and zero points may be."""
OTHERS: Mapping[str, str] = {
    "F4": "floats of 4 bits, two to a byte",
    "F6_E2M3": "floats of 6 bits, four to three bytes",
    "F6_E3M2": "floats of 6 bits, four to three bytes",
    "F8_E8M0": "powers of two, which are scales and have no zero",
    "C64": "complex numbers",
}
"""What safetensors has besides `DTYPES`."""
COPY_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a header says of a tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int

    @classmethod
    def packed(cls, name: str, shape: Sequence[int]) -> TensorSpec:
        """Describe the bit-packed mask of a tensor of `shape`."""
        nbytes = -(-prod(shape) // 8)
        return cls(name, "U8", (nbytes,), nbytes)

    @property
    def floating(self) -> bool:
        """Whether it holds numbers with a fraction, of a type that can be read."""
        return self.dtype in DTYPES and self.dtype[0] in "FB" and self.dtype != "BOOL"


class TensorFile:
    """A safetensors file, its header read and checked, its tensors read on demand.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    tensors : dict of str to TensorSpec
        In the order of the file.
    metadata : dict of str to str
    start : int
        Where the bytes of the first tensor begin.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated or not safetensors.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with naming(self.path, "read"), self.path.open("rb") as file:
                with safe_open(self.path, framework="np"):
                    pass  # checks the header and that all bytes are there
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length))
        except SafetensorError as error:
            raise FileFormatError(f"{path} is not a whole safetensors file: {error}") from None
        self.metadata: dict[str, str] = header.pop("__metadata__", None) or {}
        self.start = 8 + length
        self.tensors: dict[str, TensorSpec] = {}
        self._offsets: dict[str, int] = {}
        for name, entry in sorted(header.items(), key=lambda e: e[1]["data_offsets"]):
            start, stop = entry["data_offsets"]
            shape = tuple(entry["shape"])
            self.tensors[name] = TensorSpec(name, entry["dtype"], shape, stop - start)
            self._offsets[name] = self.start + start

    def read(self, name: str) -> NDArray[Any]:
        """Read one tensor into memory.

        Raises
        ------
        FileFormatError
            If there is none of that name, or its dtype is none that NumPy can hold.
        """
        spec = self.tensors.get(name)
        if spec is None:
            raise FileFormatError(f"{self.path} holds no tensor {name!r}")
        refuse_dtype(spec.dtype, self.path, name)
        with naming(self.path, "read"):
            content = np.fromfile(
                self.path, dtype=np.uint8, count=spec.nbytes, offset=self._offsets[name]
            )
        if content.size != spec.nbytes:
            raise FileFormatError(f"{self.path} was cut short while tensor {name!r} was read")
        return as_tensor(content, spec.dtype, spec.shape, self.path, name)

    def offset(self, name: str) -> int:
        """Return where in the file the bytes of a tensor begin."""
        return self._offsets[name]

    def copy(self, name: str, target: IO[bytes]) -> None:
        """Copy one tensor's bytes as they are."""
        for part in self.parts(name):
            target.write(part)

    def parts(self, name: str) -> Iterator[bytes]:
        """Read one tensor's bytes piece by piece."""
        left = self.tensors[name].nbytes
        with naming(self.path, "read"), self.path.open("rb") as file:
            file.seek(self._offsets[name])
            while left:
                part = file.read(min(left, COPY_BYTES))
                if not part:
                    raise FileFormatError(
                        f"{self.path} was cut short while tensor {name!r} was copied"
                    )
                yield part
                left -= len(part)


def refuse_dtype(dtype: str, path: str | Path, name: str) -> None:
    """Raise for a dtype that NumPy cannot hold."""
    if dtype not in DTYPES:
        raise FileFormatError(
            f"{path}: tensor {name!r} has dtype {describe_dtype(dtype)}, which is not supported"
        )


def describe_dtype(dtype: str) -> str:
    """Say what a dtype is, where its name alone may not tell.

    Examples
    --------
    >>> describe_dtype("F4"), describe_dtype("I8")
    ('F4 (floats of 4 bits, two to a byte)', 'I8')
    """
    return f"{dtype} ({OTHERS[dtype]})" if dtype in OTHERS else dtype


def as_dtype(dtype: str) -> np.dtype[Any]:
    """Return NumPy's dtype of the name that safetensors gives it, one of `DTYPES`."""
    import ml_dtypes  # noqa: F401  # gives NumPy bfloat16 and float8, for 2 MB of memory

    return np.dtype(DTYPES[dtype])


def as_number_dtype(dtype: str) -> np.dtype[Any]:
    """Do the same for what weights are made of as well, one of `PARTS`."""
    import ml_dtypes  # noqa: F401

    return np.dtype(PARTS.get(dtype) or DTYPES[dtype])


def as_tensor(
    content: bytes | memoryview | NDArray[np.uint8],
    dtype: str,
    shape: tuple[int, ...],
    path: str | Path,
    name: str,
) -> NDArray[Any]:
    """Show the bytes of a tensor as an array.

    Raises
    ------
    FileFormatError
        Naming the file and the tensor, if they make none.
    """
    refuse_dtype(dtype, path, name)
    array = np.frombuffer(content, dtype=as_dtype(dtype))
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise FileFormatError(
            f"{path}: tensor {name!r} of dtype BOOL holds bytes other than 0 and 1"
        )
    try:
        return array.reshape(shape)
    except ValueError:  # empty, with sides beyond what an index can hold
        raise FileFormatError(f"{path}: tensor {name!r} has an impossible shape, {shape}") from None


class TensorWriter:
    """What `write_tensors` hands out: takes the tensors in order, then the metadata."""

    def __init__(self, file: IO[bytes], specs: Sequence[TensorSpec], room: int) -> None:
        self.file = file
        self._specs = specs
        self._room = room
        self._left = iter(specs)
        file.seek(8 + room)

    def write(self, array: NDArray[Any]) -> None:
        """Write the next tensor."""
        spec = next(self._left)
        if array.nbytes != spec.nbytes:
            raise ValueError(f"tensor {spec.name!r} has {array.nbytes} bytes, not {spec.nbytes}")
        # As bytes: NumPy exports no buffers of bfloat16 and float8.
        self.file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def copy(self, source: TensorFile, name: str) -> None:
        """Copy the next tensor from another file."""
        next(self._left)
        source.copy(name, self.file)

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Write the header."""
        header = make_header(self._specs, metadata)
        self.file.seek(0)
        self.file.write(self._room.to_bytes(8, "little") + header.ljust(self._room))


@contextmanager
def write_tensors(
    path: str | Path, specs: Sequence[TensorSpec], longest: Mapping[str, str]
) -> Iterator[TensorWriter]:
    """Write a safetensors file in order, with metadata that is known only at the end.

    Parameters
    ----------
    path : str or Path
        Appears when the block ends without an exception, whole.
    specs : sequence of TensorSpec
        Every tensor, in the order in which they will be written.
    longest : mapping of str to str
        Metadata at least as long as what `TensorWriter.finish` will be given: the
        header's place comes before the tensors.

    Raises
    ------
    FileFormatError
        If it cannot be written.
    """
    room = -(-len(make_header(specs, longest)) // 8) * 8
    size = 8 + room + sum(spec.nbytes for spec in specs)
    with whole_file(Path(path), size) as file:
        yield TensorWriter(file, specs, room)


def make_header(specs: Sequence[TensorSpec], metadata: Mapping[str, str]) -> bytes:
    """Return the JSON that a file of such tensors begins with, after its length."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for spec in specs:
        entries[spec.name] = {
            "dtype": spec.dtype,
            "shape": list(spec.shape),
            "data_offsets": [offset, offset + spec.nbytes],
        }
        offset += spec.nbytes
    return json.dumps(entries, separators=(",", ":")).encode()
