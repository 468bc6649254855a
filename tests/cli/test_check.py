"""``masksolve check``: the verdict of `check_mask`, and its first violation."""

import numpy as np
import pytest

import masksolve as ms
from tests.storage.files import write_file


@pytest.fixture
def masks(run, model, out):
    run("solve", model, out, "--pattern", "2:4", "--axes", "0,1")
    return out


def write_packed(path, mask, pattern, axes=(0, 1)):
    """Save a mask with whatever pattern on record."""
    result = ms.solve(np.ones(mask.shape), pattern, axes=axes)
    result.mask[:] = mask
    ms.save_masks(path, {"w": result})
    return path


@pytest.mark.parametrize("pattern", [(), ("--pattern", "2:4"), ("--pattern", "3:4,at-most")])
@pytest.mark.parametrize(
    ("options", "count"), [((), 5), (("--tensors", "conv.*"), 1), (("--exclude", "*.1.*"), 4)]
)
def test_good_masks_pass(run, masks, pattern, options, count):
    ran = run("check", masks, *pattern, *options)
    valid = f"all {count} tensors are" if count > 1 else "the tensor is"
    assert ran.out == f"{masks}: {valid} valid\n"
    ran = run("check", masks, *pattern, *options, "--json")
    assert ran.json == {"valid": True, "tensors": count}


@pytest.mark.parametrize("shape", [(9, 14), (6, 8, 12)], ids=str)
def test_every_flipped_bit_is_found(run, tmp_path, shape):
    """Each in turn: where check_mask raises, `check` says the same."""
    good = ms.solve(np.random.default_rng(0).normal(size=shape), "2:4").mask
    axes = (len(shape) - 2, len(shape) - 1)
    verdicts = []
    for k in range(0, good.size, 23):
        mask = good.copy()
        mask.flat[k] ^= True
        path = write_packed(tmp_path / "m", mask, "2:4", axes)
        valid = ms.is_valid(mask, "2:4")
        verdicts.append(valid)
        ran = run("check", path, code=0 if valid else 1)
        found = run("check", path, "--json", code=ran.code).json
        if valid:  # an entry less in a partial tile
            continue
        with pytest.raises(ms.MaskViolation) as caught:
            ms.check_mask(mask, "2:4")
        assert ran.out == f"{path}: tensor 'w': {caught.value}\n"
        assert found["valid"] is False
        fields = {key: getattr(caught.value, key) for key in ("axis", "line", "kept")}
        lists = {key: list(getattr(caught.value, key)) for key in ("matrix", "span")}
        expected = {"tensor": "w", "message": str(caught.value), **fields, **lists}
        assert found["violation"] == expected
    assert verdicts.count(False) >= 3


def test_the_first_bad_tensor_is_named(run, tmp_path):
    tensors = {name: np.eye(8) for name in ("a", "b", "c")}
    tensors["b"][3, :] = 1
    ran = run("check", write_file(tmp_path / "w", tensors), "--pattern", "1:4", code=1)
    assert "'b': row 3, columns 0 to 3, keeps 4 of 4" in ran.out


def test_pattern_and_axes_come_from_each_record(run, tmp_path):
    rng = np.random.default_rng(0)
    wide, conv = rng.normal(size=(8, 16)), rng.normal(size=(8, 8, 3, 3))
    path = tmp_path / "m"
    masks = {"wide": ms.solve(wide, "1:4,plain"), "conv": ms.solve(conv, "2:4", axes=(1, 0))}
    ms.save_masks(path, masks)
    run("check", path)
    assert "'wide': column" in run("check", path, "--pattern", "1:4", code=1).out
    assert "'conv': matrix" in run("check", path, "--tensors=conv", "--axes=2,3", code=1).out


@pytest.mark.parametrize(
    ("asked", "code"), [("2:4", 0), ("2:4,plain", 0), ("4:8", 0), ("1:4", 1), ("2:5", 1)]
)
def test_masked_weights_are_checked_by_their_zeros(run, model, out, asked, code):
    solve = ("solve", model, out, "--pattern=2:4", "--apply", "--tensors")
    run(*solve, "encoder.0.weight", "head.weight")
    run("check", out, "--pattern", asked, "--tensors", "head.weight", code=code)
    run("check", out, "--pattern", asked, "--exclude=[!e]*", "--tensors=*.0.weight", code=code)


def test_masked_weights_of_ours_need_no_pattern(run, model, out):
    names = ("steps", "head.weight")
    run("solve", model, out, "--pattern", "2:4", "--apply", "--tensors", *names)
    assert run("check", out, "--json").json == {"valid": True, "tensors": 2}
    run("check", out, "--pattern", "1:4", code=1)


def test_masked_weights_without_a_record_need_a_pattern(run, model, out):
    run("solve", model, out, "--pattern", "2:4", "--apply", "--tensors", "head.weight")
    assert "--pattern" in run("check", out, "--tensors", "steps", code=2).err
    run("check", out, "--tensors", "steps", "--pattern", "4:4")


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16])
def test_dense_tensors_of_any_dtype(run, tmp_path, dtype):
    mask = np.kron(np.eye(2), np.ones((2, 2))).astype(dtype)
    path = write_file(tmp_path / "dense", {"w": mask, "bias": np.ones(7, dtype)})
    run("check", path, "--pattern", "2:4")
    run("check", path, "--pattern", "1:4", code=1)


def test_zeros_among_kept_weights_are_no_violation(run, tmp_path):
    path = write_file(tmp_path / "w", {"w": np.zeros((8, 8))})
    run("check", path, "--pattern", "2:4")


def test_a_record_of_no_tensor_is_bad_input(run, masks):
    content = masks.read_bytes()
    masks.write_bytes(content.replace(b'"head.weight":{"dtype', b'"skip.weight":{"dtype'))
    assert "'head.weight'" in run("check", masks, code=2).err


def moved(rng, by):
    """Make weights that were 2:4, every zero moved by so much of the largest weight."""
    weights = rng.normal(size=(16, 24)).astype(np.float32)
    mask = ms.solve(weights, "2:4").mask
    return np.where(mask, weights, by * abs(weights).max()).astype(np.float32)


def test_zeros_that_were_moved_are_told_from_a_broken_pattern(run, tmp_path):
    rng = np.random.default_rng(0)
    off, whole, broken = moved(rng, 5e-7), moved(rng, 0), moved(rng, 5e-7)
    broken[3, :4] = 1
    asked = ("--pattern", "2:4", "--nearly", "1e-6")
    path = write_file(tmp_path / "w", {"off": off, "whole": whole})
    run("check", path, "--pattern", "2:4", code=1)
    told = run("check", path, *asked).out.splitlines()
    lines = "192 of 192 lines hold more than 2 nonzeros"
    assert told == [
        f"{path}: tensor 'off': moved off zero, not broken: {lines}, all that is too much "
        "within 1e-06 of zero (times the largest weight)",
        f"{path}: all 2 tensors are valid, 1 of them only nearly",
    ]
    run("check", path, "--pattern", "2:4", "--nearly", "1e-7", code=1)
    path = write_file(tmp_path / "w", {"broken": broken, "off": off})
    first, second = run("check", path, *asked, code=1).out.splitlines()
    assert f"'broken': broken: {lines}, 3 of them more than 2 not within" in first
    assert second.endswith("row 3, columns 0 to 3, keeps 4 of 4: 2:4,at-most takes at most 2")


def test_nearly_is_for_weights_and_a_share(run, masks, tmp_path):
    told = run("check", masks, "--nearly", "1e-6", code=2).err
    assert "it is a mask: --nearly is about weights" in told
    path = write_file(tmp_path / "w", {"w": np.eye(8)})
    for share in ("0", "1", "nan", "few"):
        told = run("check", path, "--pattern=1:4", "--nearly", share, code=2).err
        assert f"{share!r} is not a share above 0 and below 1" in told
    told = run("check", path, "--pattern=1:4", "--nearly=1e-6").out
    assert told == f"{path}: the tensor is valid\n"
