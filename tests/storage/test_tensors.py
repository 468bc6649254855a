"""safetensors files: read and written bit for bit, as the safetensors library does."""

import json

import numpy as np
import pytest
import safetensors.numpy

from masksolve.storage.tensors import DTYPES, TensorFile, TensorSpec, write_tensors
from tests.storage import files
from tests.storage.files import (
    entry,
    read_file,
    refused,
    same_bits,
    some_bits,
    write_file,
    write_raw,
)

SHAPES = [(3, 5), (), (0,), (4, 0, 2), (7,), (2, 3, 1, 2)]
NATIVE = [code for code in DTYPES if code != "BF16" and not code.startswith("F8")]
ONE = {"w": entry("F32", [1, 2], [0, 8])}


def spec_of(name, code, array):
    return TensorSpec(name, code, array.shape, array.nbytes)


def write(path, tensors, metadata=(), longest=None):
    """Write {name: (code, array)} by our writer."""
    specs = [spec_of(name, code, array) for name, (code, array) in tensors.items()]
    with write_tensors(path, specs, longest or dict(metadata)) as writer:
        for _, array in tensors.values():
            writer.write(array)
        writer.finish(dict(metadata))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.safetensors"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("code", DTYPES)
def test_reads_and_writes_every_dtype_bit_for_bit(path, tmp_path, rng, code, shape):
    array = some_bits(rng, code, shape)
    theirs, ours = tmp_path / "theirs", write(path, {"w": (code, array)})
    for file in map(TensorFile, (write_file(theirs, {"w": array}), ours)):
        assert same_bits(file.read("w"), array)
        assert file.tensors == {"w": spec_of("w", code, array)}
    assert same_bits(read_file(ours)["w"], array)


@pytest.mark.parametrize("code", NATIVE)
def test_agrees_with_the_safetensors_library_both_ways(path, rng, code):
    array = some_bits(rng, code, (3, 5))
    safetensors.numpy.save_file({"w": array}, path)
    assert same_bits(TensorFile(path).read("w"), array)
    write(path, {"w": (code, array)})
    assert same_bits(safetensors.numpy.load_file(path)["w"], array)


def test_strided_views_are_written_as_they_look(path):
    array = np.arange(24.0).reshape(4, 6)[::2, ::-3].T
    write(path, {"w": ("F64", array)})
    assert np.array_equal(TensorFile(path).read("w"), array)


def test_order_and_metadata_are_kept(path, rng):
    """Odd lengths first, so that what follows is not aligned to its own size."""
    tensors = {
        "z": ("U8", some_bits(rng, "U8", (3,))),
        "empty": ("F32", np.zeros((0, 4), np.float32)),
        'é 漢 " \\ \n': ("F64", rng.normal(size=(2, 2))),
        "a": ("BF16", some_bits(rng, "BF16", (5,))),
    }
    metadata = {"format": "pt", "note": "ü\n{}"}
    file = TensorFile(write(path, tensors, metadata))
    assert list(file.tensors) == list(tensors)
    assert file.metadata == metadata == files.read_metadata(path)
    for found in (read_file(path), {name: file.read(name) for name in tensors}):
        assert all(same_bits(found[name], array) for name, (_, array) in tensors.items())


def test_tensors_come_in_the_order_of_their_bytes(path):
    entries = {name: entry("U8", [1], [k, k + 1]) for name, k in (("b", 1), ("c", 2), ("a", 0))}
    file = TensorFile(write_raw(path, entries, b"\0\1\2"))
    assert [(name, *file.read(name)) for name in file.tensors] == [("a", 0), ("b", 1), ("c", 2)]


@pytest.mark.parametrize("metadata", [{}, {"k": "v"}, {"k": "v" * 7}], ids=len)
def test_header_is_aligned_and_leaves_room_for_the_longest_metadata(path, metadata):
    array = np.arange(3.0)
    write(path, {"w": ("F64", array)}, metadata, longest={"k": "x" * 50})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    assert content[8 + length :] == array.tobytes()
    assert json.loads(content[8 : 8 + length]).get("__metadata__", {}) == metadata
    assert np.array_equal(safetensors.numpy.load_file(path)["w"], array)


def test_no_tensors_and_no_metadata(path):
    file = TensorFile(write(path, {}))
    assert (file.tensors, file.metadata, read_file(path)) == ({}, {}, {})


def test_copy_takes_bytes_of_any_dtype(path, tmp_path, rng):
    array = rng.bytes(24)
    source = TensorFile(write_raw(path, {"c": entry("C64", [3], [0, 24])}, array))
    with write_tensors(tmp_path / "copy", source.tensors.values(), {}) as writer:
        writer.copy(source, "c")
        writer.finish({})
    assert read_file(tmp_path / "copy")["c"].tobytes() == array


def test_a_tensor_of_another_size_is_a_mistake_of_the_caller(path, tmp_path):
    specs, words = [TensorSpec("w", "U8", (4,), 4)], "'w' has 3 bytes, not 4"
    with pytest.raises(ValueError, match=words), write_tensors(path, specs, {}) as writer:
        writer.write(np.zeros(3, np.uint8))
    assert files.contents(tmp_path) == {}


LIES = {
    "empty file": b"",
    "shorter than a length": b"abc",
    "length of nothing": bytes(8),
    "length beyond the end": (100).to_bytes(8, "little") + b"{}",
    "length beyond all memory": b"\xff" * 8 + b"{}",
    "text": b"The quick brown fox jumps over the lazy dog",
    "not JSON": (3).to_bytes(8, "little") + b"{w}",
    "a JSON list": (2).to_bytes(8, "little") + b"[]",
    "not UTF-8": (3).to_bytes(8, "little") + b'{"\xff',
    "bytes beyond the last tensor": (2).to_bytes(8, "little") + b"{}xx",
}


@pytest.mark.parametrize("content", LIES.values(), ids=LIES)
def test_garbage_is_refused(path, content):
    path.write_bytes(content)
    with refused(path, "not a whole safetensors file"):
        TensorFile(path)


LIES_BY_KEY = {
    "shape": [[1, 3], [-1, -2], [2**40, 2**40], "12"],
    "dtype": ["F64", "F31", None],
    "data_offsets": [[0, 4], [8, 16], [8, 0], [0], [0, 2**63]],
}


HEADER_LIES = [{key: lie} for key in LIES_BY_KEY for lie in LIES_BY_KEY[key]]


@pytest.mark.parametrize("lie", HEADER_LIES, ids=str)
def test_a_header_that_lies_is_refused(path, lie):
    assert TensorFile(write_raw(path, ONE, bytes(8))).read("w").shape == (1, 2)
    write_raw(path, {"w": ONE["w"] | lie}, bytes(8))
    with refused(path, "not a whole safetensors file"):
        TensorFile(path)


def test_overlapping_tensors_are_refused(path):
    write_raw(path, ONE | {"v": ONE["w"]}, bytes(8))
    with refused(path):
        TensorFile(path)


def test_every_truncation_is_refused(path, rng):
    whole = write_file(path, {"w": rng.normal(size=(2, 3))}, {"k": "v"}).read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with refused(path, "not a whole safetensors file"):
            TensorFile(path)


def test_missing_file_and_folder_are_refused(path, tmp_path):
    for place, words in ((path, "No such file"), (tmp_path, "Is a directory")):
        with refused(place, words):
            TensorFile(place)


def test_unknown_name_and_unsupported_dtype_are_refused(path):
    file = TensorFile(write_file(path, {"c": np.zeros((2, 2), np.complex64)}))
    assert not file.tensors["c"].floating
    with refused(path, "'c'", "C64"):
        file.read("c")
    with refused(path, "'nobody'"):
        file.read("nobody")


@pytest.mark.parametrize("code", DTYPES)
def test_floating_means_a_float_that_can_be_read(code):
    expected = code.startswith("F8") or code in ("F16", "BF16", "F32", "F64")
    assert TensorSpec("w", code, (1,), 1).floating == expected


def test_a_file_that_shrinks_after_it_was_opened_is_refused(path, tmp_path):
    file = TensorFile(write_file(path, {"w": np.ones(64)}))
    with path.open("r+b") as shrunk:
        shrunk.truncate(path.stat().st_size - 8)
    with refused(path, "'w'", "cut short"):
        file.read("w")
    out = tmp_path / "out"
    with refused(path, "'w'", "cut short"), write_tensors(out, [file.tensors["w"]], {}) as writer:
        writer.copy(file, "w")
    path.unlink()
    with refused(path, "No such file"):
        file.read("w")
    assert files.contents(tmp_path) == {}
