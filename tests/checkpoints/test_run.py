"""A folder in, a folder of the same shape out: masks and figures of `solve`, whole."""

import json
import os

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints.memory import parse_bytes, slice_bytes
from tests.checkpoints.models import (
    INDEX,
    assert_applied,
    assert_masks,
    files_of,
    solve_all,
    write_checkpoint,
)
from tests.storage.files import contents, read_metadata, unchanged, write_file

SMALL = 2000
"""Bytes of a slice: every tensor but the smallest is cut."""


@pytest.mark.parametrize("pattern", ["2:4", "3:8", "1:2,at-most", "2:4,plain", "2:5,plain"])
@pytest.mark.parametrize("largest", [SMALL, None])
def test_masks_are_those_of_whole_tensors(source, target, shards, pattern, largest):
    found = solve_all(source, target, pattern, largest=largest)
    assert_masks(target, shards, pattern)
    assert found.status is ms.Status.OPTIMAL
    assert found.objective == pytest.approx(sum(r.objective for r in found.records.values()))
    assert found.upper_bound >= found.objective
    assert {path.name for path in target.iterdir()} == {*shards, INDEX, "masksolve.json"}


@pytest.mark.parametrize("method", ms.METHODS)
@pytest.mark.parametrize("repair", [False, True])
def test_no_method_depends_on_the_cuts(source, target, shards, method, repair):
    solve_all(source, target, "2:4", method=method, largest=SMALL, repair=repair)
    if not repair:
        return assert_masks(target, shards, "2:4", method=method)
    for name, tensors in shards.items():
        for tensor, mask in ms.load_masks(target / name).items():
            expected = ms.solve(tensors[tensor], "2:4", method=method)
            if expected.status is ms.Status.UNDERFILLED:
                expected = ms.repair(tensors[tensor], expected.mask, "2:4")
            assert np.array_equal(mask.mask, expected.mask)
            assert mask.status is not ms.Status.UNDERFILLED
    return None


@pytest.mark.parametrize("axes", [None, (0, 1), (1, 0), (-2, -1), (-1, -2)])
@pytest.mark.parametrize("largest", [SMALL, 300, None])
def test_weights_are_masked_and_nothing_else_changes(source, target, shards, axes, largest):
    given = {} if axes is None else {"axes": axes}
    solve_all(source, target, "2:4", apply=True, largest=largest, **given)
    assert_applied(target, shards, **given)
    for k, name in enumerate(shards):
        metadata = read_metadata(target / name)
        assert metadata.items() >= {"format": "pt", "shard": str(k)}.items()
    for name in ("config.json", "settings.json"):
        assert (target / name).read_bytes() == (source / name).read_bytes()
    index = json.loads((target / INDEX).read_text())
    assert index == json.loads((source / INDEX).read_text())
    names = {path.name for path in source.iterdir()}
    assert {path.name for path in target.iterdir()} == names | {"masksolve.json"}


def test_masks_of_convolutions_along_axes_and_bits_between_bytes(source, target, shards):
    solve_all(source, target, "2:4", axes=(1, 2), tensors=["experts"], largest=100)
    name, chosen = "model-2.safetensors", {"experts": shards["model-2.safetensors"]["experts"]}
    assert_masks(target, {name: chosen}, axes=(1, 2))


def test_the_index_of_masks_names_masks_only(source, target):
    solve_all(source, target, "2:4", exclude=["head*"])
    index = json.loads((target / INDEX).read_text())
    shards = {"a": 1, "odd": 1, "b": 2}
    names = {f"{name}.weight": f"model-{k}.safetensors" for name, k in shards.items()}
    assert index["weight_map"] == names
    assert index["metadata"] == {"total_size": sum(-(-n // 8) for n in (96 * 64, 777, 2560))}
    assert not (target / "model-3.safetensors").exists()


def test_one_file_as_a_checkpoint(tmp_path, target):
    weights = np.random.default_rng(0).normal(size=(16, 24))
    path = write_file(tmp_path / "model.safetensors", {"w": weights})
    solve_all(path, target, "2:4", apply=True)
    assert_applied(target, {"model.safetensors": {"w": weights}})


@pytest.mark.parametrize("apply", [False, True])
def test_bytes_depend_neither_on_threads_nor_on_time(source, tmp_path, apply):
    found = []
    for threads in (1, 2, None):
        target = tmp_path / f"out{threads}"
        solve_all(source, target, "2:4", apply=apply, threads=threads, largest=SMALL)
        found.append(files_of(target))
    assert found[0] == found[1] == found[2]


def test_progress_counts_bytes(source, target, shards):
    seen = []
    options = {"apply": True, "largest": SMALL, "progress": lambda *counts: seen.append(counts)}
    found = solve_all(source, target, "2:4", **options)
    nbytes = sum(array.nbytes for tensors in shards.values() for array in tensors.values())
    assert {total for _, total in seen} == {nbytes}
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == found.nbytes == nbytes


def test_again_with_the_same_settings_there_is_nothing_to_do(source, target):
    first = solve_all(source, target, "2:4")
    with unchanged(target, files_of):
        again = solve_all(source, target, "2:4")
    assert (again.records, again.nbytes) == (first.records, 0)


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize("name", ["b.weight", "norm"])
def test_weights_that_changed_since_are_noticed(source, target, shards, name, apply):
    """Of the same sizes, so that nothing but the bytes tells."""
    options = {"apply": apply, "largest": SMALL}
    solve_all(source, target, "2:4", **options)
    before = files_of(target)
    shard = next(shard for shard, tensors in shards.items() if name in tensors)
    later = (target / "masksolve.json").stat().st_mtime_ns + 10**9
    os.utime(source / shard, ns=(later, later))  # touched only
    assert solve_all(source, target, "2:4", **options).nbytes == 0
    content = bytearray((source / shard).read_bytes())
    array = shards[shard][name]
    content[content.index(array.tobytes()) + 1] ^= 1
    (source / shard).write_bytes(content)
    os.utime(source / shard, ns=(later, later))
    if name == "norm" and not apply:  # no mask depends on it
        solve_all(source, target, "2:4", **options)
    else:
        words = rf"{shard}: tensor '{name}' has changed since {target} was made"
        with pytest.raises(ms.InvalidInput, match=words):
            solve_all(source, target, "2:4", **options)
    assert files_of(target) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pattern": "1:4"}, 'pattern "2:4", not "1:4"'),
        ({"method": "greedy"}, 'method "exact", not "greedy"'),
        ({"apply": True}, 'kind "masks", not "weights"'),
        ({"repair": True}, "repair false, not true"),
        ({"exclude": ["a.*"]}, "other tensors"),
        ({"largest": SMALL}, "slices"),
    ],
)
def test_a_finished_run_with_other_settings_is_refused(source, target, options, words):
    solve_all(source, target, "2:4")
    words = f"output {target} holds a run .*{words}"
    with unchanged(target, files_of), pytest.raises(ms.InvalidInput, match=words):
        solve_all(source, target, **({"pattern": "2:4"} | options))


def test_verification_finds_every_flipped_byte(source, target):
    solve_all(source, target, "2:4", apply=True)
    good = {name: data for name, data in contents(target).items() if name != "masksolve.json"}
    del good[".hidden"]  # which is empty
    assert ms.verify_checkpoint(target) == sum(map(len, good.values()))
    rng = np.random.default_rng(0)
    for name, content in good.items():
        for position in rng.integers(0, len(content), 20):
            bad = bytearray(content)
            bad[position] ^= 1 << rng.integers(8)
            (target / name).write_bytes(bad)
            with pytest.raises(ms.FileFormatError, match=name):
                ms.verify_checkpoint(target)
        (target / name).write_bytes(content[:-1])
        with pytest.raises(ms.FileFormatError, match=f"{name} has .* bytes"):
            ms.verify_checkpoint(target)
        (target / name).unlink()
        with pytest.raises(ms.FileFormatError, match=name):
            ms.verify_checkpoint(target)
        (target / name).write_bytes(content)
    ms.verify_checkpoint(target)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 2}', '{"version": 1}'])
def test_a_manifest_that_is_none(tmp_path, content):
    (tmp_path / "masksolve.json").write_text(content)
    with pytest.raises(ms.FileFormatError, match=r"masksolve\.json is not a manifest"):
        ms.verify_checkpoint(tmp_path)
    with pytest.raises(ms.FileFormatError, match="cannot read"):
        ms.verify_checkpoint(tmp_path / "nowhere")


def test_masked_weights_can_be_solved_again(source, target, tmp_path, shards):
    """What a run copies and what it writes about itself does not pile up."""
    solve_all(source, target, "2:4", apply=True)
    again = tmp_path / "again"
    solve_all(target, again, "2:4", apply=True)
    assert_applied(again, shards)
    assert {path.name for path in again.iterdir()} == {path.name for path in target.iterdir()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 << 29), ("800m", 8 * 10**8), ("7", 7), (7, 7)],
)
def test_bytes_are_read(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 GBit", "nan", "1e9", None, True, 0.5])
def test_what_is_no_number_of_bytes(text):
    with pytest.raises(ms.InvalidInput, match=r"not of the form|too little"):
        slice_bytes(text)


def test_slices_grow_with_memory_and_too_little_is_refused():
    assert slice_bytes("500MB") < slice_bytes("600MB") <= slice_bytes("2TB")
    with pytest.raises(ms.InvalidInput, match="memory 100MB is too little"):
        slice_bytes("100MB")


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 0)])
@pytest.mark.parametrize("apply", [False, True])
def test_empty_tensors(tmp_path, target, shape, apply):
    shards = {"model.safetensors": {"w": np.zeros(shape, np.float32), "x": np.eye(8)}}
    source = write_checkpoint(tmp_path / "model", shards)
    found = solve_all(source, target, "2:4", apply=apply)
    assert found.records["w"].objective == 0
    assert (assert_applied if apply else assert_masks)(target, shards) is None
