"""Mask files: what is saved comes back, in the documented layout, or is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import masksolve as ms
from tests.storage.files import read_file, read_metadata, refused, write_file

FIELDS = ("axes", "method", "objective", "upper_bound", "status", "pattern")
SOME = ms.solve(np.arange(60.0).reshape(6, 10), "2:4")


@st.composite
def results(draw):
    """Draw any mask that obeys a pattern, with any claims: a file does not judge these."""
    shape = draw(st.lists(st.integers(0, 7), min_size=2, max_size=4).map(tuple))
    m = draw(st.integers(1, 8))
    pattern = ms.Pattern(draw(st.integers(1, m)), m, draw(st.booleans()), draw(st.booleans()))
    axes = tuple(draw(st.permutations(range(len(shape))))[:2])
    finite = st.floats(allow_nan=False, allow_infinity=False)
    output, column = (np.indices(shape)[axis] for axis in axes)
    mask = (output + column + draw(st.integers(0, m - 1))) % m < pattern.n
    status = draw(st.sampled_from(ms.Status))
    if status is ms.Status.UNDERFILLED:
        mask &= draw(arrays(np.bool_, shape))
    claims = {
        "method": draw(st.sampled_from([*ms.METHODS, "repair"])),
        "objective": draw(finite),
        "upper_bound": draw(st.none() | finite),
    }
    return replace(SOME, mask=mask, pattern=pattern, axes=axes, status=status, **claims)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("masks") / "masks.safetensors"


def documented_bits(packed, shape):
    """Unpack by the documentation: C order, eight to a byte, the first in the lowest bit."""
    mask = np.zeros(shape, dtype=bool)
    for k, index in enumerate(np.ndindex(*shape)):
        mask[index] = packed[k // 8] >> (k % 8) & 1
    return mask


def agree(stored, result):
    return np.array_equal(stored.mask, result.mask) and all(
        getattr(stored, field) == getattr(result, field) for field in FIELDS
    )


@given(st.dictionaries(st.text().filter(lambda name: name != "__metadata__"), results()))
def test_round_trip_in_the_documented_layout(path, masks):
    ms.save_masks(path, masks)
    stored = ms.load_masks(path)
    assert list(stored) == list(masks)
    raw = read_file(path)
    records = json.loads(read_metadata(path)["masksolve"])
    assert (records["version"], records["kind"]) == (2, "masks")
    for name, result in masks.items():
        assert agree(stored[name], result)
        assert stored[name].mask.dtype == np.bool_
        packed = raw[name]
        assert (packed.dtype, packed.shape) == (np.uint8, (-(-result.mask.size // 8),))
        assert np.array_equal(documented_bits(packed, result.mask.shape), result.mask)
        assert records["tensors"][name] == {
            **{key: getattr(result, key) for key in ("method", "objective", "upper_bound")},
            "shape": list(result.mask.shape),
            "pattern": str(result.pattern),
            "layout": "matrix",
            "axes": list(result.axes),
            "status": result.status.value,
            "weights": None,
            "bits": f"xxh3_128:{xxhash.xxh3_128_hexdigest(packed.tobytes())}",
        }


OTHER_ROWS = {"mask": SOME.mask[[1, 0, 2, 3, 5, 4]]}
CHANGES = [OTHER_ROWS, {"mask": SOME.mask.T}, {"axes": (1, 0)}, {"objective": 0.0}]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_difference_would_be_seen(path, change):
    ms.save_masks(path, {"w": replace(SOME, **change)})
    assert not agree(ms.load_masks(path)["w"], SOME)


def test_highest_bit_first_would_be_seen():
    mask = np.array([[True, False, False, True, True]])
    assert np.array_equal(documented_bits(np.packbits(mask, bitorder="little"), (1, 5)), mask)
    assert not np.array_equal(documented_bits(np.packbits(mask), (1, 5)), mask)


@pytest.mark.parametrize("view", [np.asfortranarray, lambda mask: mask[::-1, ::2]])
def test_masks_in_any_memory_order(path, view):
    mask = view(SOME.mask)
    result = replace(SOME, mask=mask, pattern=ms.Pattern(4, 4, at_most=True))
    ms.save_masks(path, {"w": result})
    assert np.array_equal(ms.load_masks(path)["w"].mask, mask)


@pytest.mark.parametrize("pattern", ["2:4", "1:8,at-most", "2:4,plain", "3:5,plain,at-most"])
@pytest.mark.parametrize("axes", [(0, 1), (2, 0)])
def test_solved_masks_come_back(path, pattern, axes):
    weights = np.random.default_rng(0).normal(size=(9, 7, 13))
    result = ms.solve(weights, pattern, axes=axes)
    ms.save_masks(str(path), {"w": result})  # a path as text will do
    stored = ms.load_masks(str(path))["w"]
    assert agree(stored, result)
    found = ms.certify(weights, stored.mask, stored.pattern, axes=stored.axes)
    assert found.objective == pytest.approx(stored.objective)
    assert found.status is stored.status is ms.Status.OPTIMAL


def test_the_same_result_gives_the_same_bytes(path):
    files = []
    for _ in range(2):
        result = ms.solve(np.arange(60.0).reshape(6, 10), "2:4")
        ms.save_masks(path, {"b": result, "a": result})
        files.append(path.read_bytes())
    assert files[0] == files[1]


# Damage

PACKED = np.packbits(SOME.mask, bitorder="little")
FIRST = {"shape": [6, 10], "pattern": "2:4", "axes": [0, 1], "method": "exact", "objective": 1.0}
FIRST |= {"upper_bound": None, "status": "optimal"}
"""A record of version 1."""
RECORD = FIRST | {
    "layout": "matrix",
    "weights": {"dtype": "F32", "hash": "xxh3_128:" + 32 * "0"},
    "bits": f"xxh3_128:{xxhash.xxh3_128_hexdigest(PACKED.tobytes())}",
}


def write_masks(path, record=RECORD, packed=PACKED, **content):
    content = {"version": 2, "kind": "masks", "tensors": {"layer.w": record}} | content
    write_file(path, {"layer.w": packed}, {"masksolve": json.dumps(content)})


def test_the_file_to_be_damaged_is_whole(path):
    write_masks(path)
    stored = ms.load_masks(path)["layer.w"]
    assert np.array_equal(stored.mask, SOME.mask)
    assert (stored.dtype, stored.weights) == ("F32", RECORD["weights"]["hash"])


def test_files_of_version_1_are_read(path):
    write_masks(path, FIRST, version=1)
    stored = ms.load_masks(path)["layer.w"]
    assert np.array_equal(stored.mask, SOME.mask)
    assert (stored.axes, stored.layout.parts, stored.weights) == ((0, 1), 1, None)
    weights = np.arange(60.0).reshape(6, 10)
    with pytest.raises(ms.InvalidInput, match="does not say which weights"):
        stored.apply(weights)
    assert np.array_equal(stored.apply(weights, force=True), weights * SOME.mask)


@pytest.mark.parametrize("k", range(0, 64, 7))
def test_every_flipped_bit_is_found(path, k):
    packed = PACKED.copy()
    packed[k // 8] ^= 1 << k % 8
    write_masks(path, packed=packed)
    words = ["goes on after its last entry"] if k >= 60 else ["damaged", "hash"]
    with refused(path, "'layer.w'", *words):
        ms.load_masks(path)


def test_a_mask_that_breaks_its_pattern_is_refused(path):
    write_masks(path, FIRST, np.packbits(SOME.mask | True, bitorder="little"), version=1)
    with refused(path, "'layer.w'", "not what its record says", "keeps 4 of 4"):
        ms.load_masks(path)


def test_short_lines_are_for_those_who_say_so(path):
    none = np.zeros_like(PACKED)
    write_masks(path, FIRST, none, version=1)
    with refused(path, "'layer.w'", "keeps 0 of 4"):
        ms.load_masks(path)
    write_masks(path, FIRST | {"status": "underfilled"}, none, version=1)
    assert not ms.load_masks(path)["layer.w"].mask.any()


def test_a_stack_of_matrices_is_judged_matrix_by_matrix(path):
    """Three of 2 x 10 are partial tiles: each line of two may be full."""
    mask = np.zeros((6, 10), bool)
    mask[:, ::2] = True
    packed = np.packbits(mask, bitorder="little")
    stack = FIRST | {"layout": "stack", "parts": 3, "weights": None, "bits": None}
    write_masks(path, stack, packed)
    stored = ms.load_masks(path)["layer.w"]
    assert (stored.layout.parts, stored.layout.axes) == (3, (0, 1))
    ms.save_masks(path, {"layer.w": stored})
    assert ms.load_masks(path)["layer.w"].layout == stored.layout
    write_masks(path, stack | {"layout": "matrix"}, packed)
    with refused(path, "'layer.w'", "column 0, rows 0 to 3, keeps 4 of 4"):
        ms.load_masks(path)


TEXTS = ["", "{", "7", "null", "[]", "{}", '{"version":1,"kind":"masks"}', "\x00", "[" * 100_000]
CONTENTS = [{"version": 2, "kind": "masks", "tensors": tensors} for tensors in (7, [1], None)]


@pytest.mark.parametrize("text", [*TEXTS, *map(json.dumps, CONTENTS)], ids=lambda text: text[:60])
def test_damaged_metadata_is_refused(path, text):
    write_file(path, {"layer.w": PACKED}, {"masksolve": text})
    with refused(path, "metadata is damaged"):
        ms.load_masks(path)


def test_another_version_is_refused(path):
    write_masks(path, version=3)
    with refused(path, "format 3", "reads 1 to 2"):
        ms.load_masks(path)


INF, ZEROS = float("inf"), 32 * "0"
OTHER_HASH = f"sha256:{ZEROS}"
NONSENSE = {
    "shape": [60, None, [-6, -10], ["six", 10], [0, 2**70], [2**62, 0, 3], [INF, 10]],
    "pattern": ["5:4", 24],
    "axes": [[0], [0, 1, 2], None, [0, INF]],
    "objective": ["much", None],
    "upper_bound": [[]],
    "status": ["great", ["optimal"]],
    "layout": ["compressed", ["matrix"], "stack"],
    "weights": ["xxh3_128:00", {"hash": RECORD["bits"]}, {"dtype": "F32", "hash": OTHER_HASH}],
    "bits": ["xxh3_128:" + ZEROS[1:], 7],
}
BAD_RECORDS = {
    **{f"no {key}": {k: v for k, v in RECORD.items() if k != key} for key in RECORD},
    **{f"{key}: {bad}": RECORD | {key: bad} for key in NONSENSE for bad in NONSENSE[key]},
    **{f"{parts} parts": RECORD | {"layout": "stack", "parts": parts} for parts in (4, 0)},
    **{f"record {record!r}": record for record in (None, 7, "text", [])},
}


@pytest.mark.parametrize("record", BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_record_that_makes_no_sense_is_refused(path, record):
    write_masks(path, record)
    with refused(path, "'layer.w'", "damaged"):
        ms.load_masks(path)


SIDES = {np.uint8: [7, 9, (2, 4)], np.int8: [8], np.bool_: [8, (6, 10)]}
BITS = [([6, 10], np.zeros(side, dtype)) for dtype in SIDES for side in SIDES[dtype]]


@pytest.mark.parametrize(("shape", "packed"), [*BITS, ([6, 11], PACKED), ([0, 10], PACKED)])
def test_bits_of_another_shape_or_dtype_are_refused(path, shape, packed):
    write_masks(path, RECORD | {"shape": shape}, packed)
    with refused(path, "'layer.w'", "packed form"):
        ms.load_masks(path)


def test_a_record_of_no_tensor_is_refused(path):
    write_masks(path, tensors={"other.w": RECORD})
    with refused(path, "'other.w'"):
        ms.load_masks(path)


def test_foreign_files_are_refused(path):
    write_file(path, {"w": np.ones((4, 4))}, {"format": "pt"})
    with refused(path, "no masksolve masks"):
        ms.load_masks(path)
    write_masks(path, kind="weights")
    with refused(path, "no masksolve masks"):
        ms.load_masks(path)
    path.unlink()
    with refused(path, "No such file"):
        ms.load_masks(path)
