"""Stored masks: the weights that they belong to, and what they do to them."""

import ml_dtypes
import numpy as np
import pytest
from xxhash import xxh3_128_hexdigest

import masksolve as ms
from tests.storage.files import DTYPES, same_bits, some_bits, write_file

# Integers of 64 bits may be beyond what float64 holds.
REAL = [code for code in DTYPES if code not in ("C64", "BOOL", "I64", "U64")]


@pytest.fixture
def weights(rng):
    return rng.normal(size=(8, 12)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "masks"


def saved(path, weights, pattern="2:4", **options):
    ms.save_masks(path, {"w": ms.solve(weights, pattern, **options)}, {"w": weights})
    return ms.load_masks(path)["w"]


def test_masks_apply_to_their_own_weights(path, weights):
    stored = saved(path, weights)
    before = weights.copy()
    stored.check(weights)
    for same in (weights, np.asfortranarray(weights), weights.astype(">f4")):
        assert np.array_equal(stored.apply(same), np.where(stored.mask, weights, 0))
    with pytest.raises(ms.InvalidInput, match="belongs to F32 weights: these are F64"):
        stored.check(weights.tolist())
    assert same_bits(weights, before)


def test_one_bit_makes_them_others(path, weights):
    stored = saved(path, weights)
    weights.view(np.uint8)[5, 6] ^= 1
    for act in (stored.check, stored.apply):
        with pytest.raises(ms.InvalidInput, match="belongs to other weights: their hash"):
            act(weights)
    assert np.array_equal(stored.apply(weights, force=True), weights * stored.mask)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("shape", [(12, 8), (8, 11), (96,), (8, 12, 1)], ids=str)
def test_no_force_makes_another_shape_fit(path, weights, shape, force):
    stored = saved(path, weights)
    with pytest.raises(ms.InvalidInput, match=r"has shape \(8, 12\)"):
        stored.apply(np.resize(weights, shape), force=force)


@pytest.mark.parametrize("code", REAL)
def test_pruned_is_plus_zero_and_kept_is_as_it_was(rng, code):
    weights = some_bits(rng, code, (4, 8))
    mask = np.tile(np.eye(4, dtype=bool), (1, 2))
    stored = ms.StoredMask.of(mask, "1:4", np.ones((4, 8), weights.dtype))
    assert stored.dtype == code
    found = stored.apply(weights, force=True)
    expected = weights.view(f"u{weights.itemsize}") * mask
    assert same_bits(found, expected.astype(f"u{weights.itemsize}").view(weights.dtype))


def test_masks_without_a_hash_need_force(path, weights):
    ms.save_masks(path, {"w": ms.solve(weights, "2:4")})
    stored = ms.load_masks(path)["w"]
    assert (stored.weights, stored.dtype) == (None, None)
    with pytest.raises(ms.InvalidInput, match="does not say which weights"):
        stored.apply(weights)
    stored.apply(weights, force=True)
    ms.save_masks(path, {"w": stored}, {"w": weights, "more": [1]})
    ms.load_masks(path)["w"].check(weights)


def test_saving_beside_other_weights_is_refused_and_writes_nothing(path, weights):
    stored = saved(path, weights)
    before = path.read_bytes()
    exotic = np.eye(4).astype(ml_dtypes.float8_e4m3b11fnuz)
    for mask, beside, words in (
        (stored, {"w": 2 * weights}, "mask 'w': the mask belongs to other weights"),
        (stored, {"w": weights.T}, "mask 'w': .* shape"),
        (stored, {"v": weights}, "no weights of mask 'w'"),
        (ms.solve(np.eye(4), "1:4"), {"w": exotic}, "which safetensors has not"),
    ):
        with pytest.raises(ms.InvalidInput, match=words):
            ms.save_masks(path, {"w": mask}, beside)
    assert path.read_bytes() == before


def test_what_is_loaded_is_saved_as_the_same_file(path, weights):
    stored = saved(path, weights)
    before = path.read_bytes()
    ms.save_masks(path, {"w": stored})
    assert path.read_bytes() == before


# Masks from anywhere


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("pattern", ["2:4", "2:4,plain", "2:4,at-most"])
def test_a_mask_from_anywhere_is_weighed(weights, pattern, short):
    mask = ms.solve(weights, pattern).mask
    mask[5:7] &= not short
    stored = ms.StoredMask.of(mask.astype(int), pattern, weights, method="theirs")
    assert stored.objective == pytest.approx(np.abs(weights, dtype=float)[mask].sum())
    assert (stored.upper_bound, stored.method, stored.axes) == (None, "theirs", (0, 1))
    assert stored.status in (ms.Status.FEASIBLE, ms.Status.UNDERFILLED)
    assert (stored.status is ms.Status.FEASIBLE) == ms.is_valid(mask, pattern)
    proven = ms.StoredMask.of(mask, pattern, weights, certify=True)
    found = ms.certify(weights, mask, pattern)
    assert (proven.objective, proven.upper_bound) == (found.objective, found.upper_bound)
    assert proven.status is found.status


@pytest.mark.parametrize(
    ("mask", "pattern", "options", "kind", "words"),
    [
        (np.ones((8, 12)), "2:4", {}, ms.MaskViolation, "keeps 4 of 4"),
        (np.ones((8, 8)), "4:4", {}, ms.InvalidInput, "shape"),
        (np.full((8, 12), 2), "4:4", {}, ms.InvalidInput, "0 and 1 only"),
        (np.ones((8, 12)), "5:4", {}, ms.InvalidPattern, "5:4"),
        (np.ones((8, 12)), "4:4", {"axes": (0, 2)}, ms.InvalidInput, "axis 2"),
        (np.ones((8, 12)), "4:4", {"parts": 3}, ms.InvalidInput, "3 parts"),
        (np.ones((8, 12)), "4:4", {"parts": 0}, ms.InvalidInput, "layout"),
    ],
)
def test_what_is_no_mask_is_refused(weights, mask, pattern, options, kind, words):
    with pytest.raises(kind, match=words):
        ms.StoredMask.of(mask, pattern, weights, **options)


def test_weights_that_are_not_finite_are_refused(weights):
    weights[0, 0] = np.nan
    with pytest.raises(ms.InvalidInput, match="not finite"):
        ms.StoredMask.of(np.ones((8, 12)), "4:4", weights)


def test_a_stack_is_proven_matrix_by_matrix(path):
    weights = np.random.default_rng(0).normal(size=(18, 8))
    result = ms.solve(weights.reshape(3, 6, 8), "2:4")
    mask = result.mask.reshape(18, 8)
    stored = ms.StoredMask.of(mask, "2:4", weights, parts=3, certify=True)
    assert stored.status is ms.Status.OPTIMAL
    assert stored.upper_bound == pytest.approx(result.upper_bound)
    ms.save_masks(path, {"w": stored})
    assert ms.load_masks(path)["w"].layout == ms.Layout((0, 1), parts=3)


def test_hashes_are_those_of_the_tensors_in_a_file(path, tmp_path, weights):
    stored = saved(path, weights)
    model = write_file(tmp_path / "model", {"w": weights})
    held = model.read_bytes()[-weights.nbytes :]
    assert stored.weights == f"xxh3_128:{xxh3_128_hexdigest(held)}"
