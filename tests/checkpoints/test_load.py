"""Masks of files and folders: judged piece by piece as they would be in one."""

import json

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints import load as module
from masksolve.checkpoints.load import MaskFiles
from masksolve.storage.packing import unpack_run
from tests.checkpoints.models import INDEX
from tests.storage.files import read_file, read_metadata, write_file

CASES = [  # shape, axes, parts, pattern
    ((13, 10), (0, 1), 1, "2:4"),
    ((13, 10), (1, 0), 1, "2:4,plain"),
    ((3, 9, 7), (1, 2), 1, "1:4"),
    ((9, 3, 7), (0, 2), 1, "2:5"),
    ((9, 8, 3, 3), (0, 1), 1, "2:4,at-most"),
    ((18, 7), (0, 1), 3, "2:4"),
    ((18, 7, 2), (2, 0), 2, "1:2"),
    ((0, 7), (0, 1), 1, "2:4"),
]


def write(path, shape, axes, parts, pattern):
    weights = np.random.default_rng(0).normal(size=shape)
    layout = ms.Layout(axes, parts)
    found = ms.solve(layout.matrices(weights), pattern, axes=layout.matrix_axes)
    mask = found.mask.reshape(shape)
    stored = ms.StoredMask.of(mask, pattern, weights, axes=axes, parts=parts)
    ms.save_masks(path, {"w": stored})
    return mask


@pytest.mark.filterwarnings("ignore:matrices along axes")
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("run", [1, 7, 30, 1 << 24])
def test_pieces_make_no_difference(tmp_path, monkeypatch, case, run):
    """A good mask passes; with a bit flipped, whatever is said of the whole is said."""
    monkeypatch.setattr(module, "RUN", run)
    path = tmp_path / "masks"
    mask = write(path, *case)
    packed = np.packbits(mask, bitorder="little")
    assert np.array_equal(MaskFiles.open(path).read_packed("w"), packed)
    refusals = 0
    for k in range(0, mask.size, 11):
        other = mask.copy()
        other.flat[k] ^= True
        lie(path, other)
        files = MaskFiles.open(path)
        said = complaint(files.read)
        assert complaint(files.read_packed) == said
        refusals += said is not None
    assert (refusals > 0) == (mask.size > 0)


def complaint(read):
    try:
        read("w")
    except ms.FileFormatError as error:
        return str(error)
    return None


def lie(path, mask):
    """Put another mask in a file, under the record that it has."""
    content = json.loads(read_metadata(path)["masksolve"])
    content["tensors"]["w"]["bits"] = None
    packed = np.packbits(mask, bitorder="little")
    write_file(path, {"w": packed}, {"masksolve": json.dumps(content)})


def test_a_folder_is_read_as_one(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    names = {"b": "1.safetensors", "a": "2.safetensors"}
    masks = {}
    for seed, (name, file) in enumerate(names.items()):
        masks[name] = ms.solve(np.random.default_rng(seed).normal(size=(8, 8)), "2:4")
        ms.save_masks(folder / file, {name: masks[name]})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names}))
    found = ms.load_masks(folder)
    assert list(found) == list(masks)
    assert all(np.array_equal(found[name].mask, masks[name].mask) for name in masks)
    write_file(folder / "2.safetensors", read_file(folder / "2.safetensors"))
    with pytest.raises(ms.FileFormatError, match=r"2\.safetensors holds no masksolve masks"):
        ms.load_masks(folder)


@pytest.mark.parametrize("start", range(9))
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 20])
def test_any_run_of_bits(start, count):
    bits = np.random.default_rng(0).random(40) < 0.5
    found = unpack_run(np.packbits(bits, bitorder="little"), start, count)
    assert np.array_equal(found, bits[start : start + count])
