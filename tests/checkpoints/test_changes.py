"""Inputs that change while they are read, and others that take the place of those solved."""

import json
import os
import shutil
from contextlib import suppress

import numpy as np
import pytest

import masksolve as ms
from masksolve.storage.tensors import TensorFile
from tests.checkpoints.models import (
    assert_applied,
    assert_masks,
    files_of,
    make_shards,
    solve_all,
    write_checkpoint,
)
from tests.checkpoints.test_resume import cut_off
from tests.storage.files import read_file, write_file

SMALL = 1000


def overwrite(path, content):
    """As a program does that saves anew: what is there goes, then comes something else."""
    path.write_bytes(content)


def in_place(path, content):
    """Byte by byte, whatever time it was before."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path, content):
    """By another file, of the same time."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, path)


@pytest.fixture(params=[overwrite, in_place, replace])
def change(request):
    return request.param


def shards_in(folder):
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors = read_file(path)
        found[path.name] = {name: tensors[name] for name in TensorFile(path).tensors}
    return found


def others(source, tmp_path):
    """The checkpoint of other weights, file by file."""
    folder = write_checkpoint(tmp_path / "others", make_shards(seed=1))
    found = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    shutil.rmtree(folder)
    return found


class Meddler:
    """Changes a file as soon as some bytes of it are done."""

    def __init__(self, path, content, change):
        self.left = [(path, content, change)]

    def __call__(self, done, total):
        if self.left:
            path, content, change = self.left.pop()
            change(path, content)


@pytest.mark.parametrize("apply", [False, True], ids=["masks", "weights"])
@pytest.mark.parametrize("name", ["model-1.safetensors", "model-2.safetensors"])
def test_an_input_that_is_written_over_is_refused(source, target, tmp_path, change, name, apply):
    """Done already, or still to be read; nothing is published, and then the new one is solved.

    With its times put back it may pass, if it was changed before any of it was read.
    """
    content = others(source, tmp_path)[name]
    meddler = Meddler(source / name, content, change)
    if change is in_place and name == "model-2.safetensors":
        with suppress(ms.InvalidInput):
            solve_all(source, target, "2:4", apply=apply, progress=meddler)
        solve_all(source, target, "2:4", apply=apply)
        (assert_applied if apply else assert_masks)(target, shards_in(source))
        return
    with pytest.raises(ms.InvalidInput, match=rf"{name} was changed while it was read"):
        solve_all(source, target, "2:4", apply=apply, largest=SMALL, progress=meddler)
    assert not meddler.left
    assert not target.exists()
    solve_all(source, target, "2:4", apply=apply, largest=SMALL)
    ms.verify_checkpoint(target)


def test_a_single_file_that_is_written_over(tmp_path, change):
    weights = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    path, out = tmp_path / "model.safetensors", tmp_path / "out.safetensors"
    content = write_file(path, {"w": weights[1]}).read_bytes()
    write_file(path, {"w": weights[0]})
    with pytest.raises(ms.InvalidInput, match="was changed while it was read"):
        solve_all(path, out, "2:4", largest=SMALL, progress=Meddler(path, content, change))
    assert sorted(os.listdir(tmp_path)) == ["model.safetensors"]


def test_weights_that_masks_are_applied_to(source, target, tmp_path, change):
    content = others(source, tmp_path)["model-1.safetensors"]
    solve_all(source, tmp_path / "masks", "2:4")
    meddler = Meddler(source / "model-1.safetensors", content, change)
    with pytest.raises(ms.InvalidInput, match=r"was changed while|is not what its mask"):
        ms.apply_masks(source, tmp_path / "masks", target, progress=meddler)
    assert not target.exists()


def test_the_same_bytes_written_again_are_no_change_where_times_say_nothing(source, target):
    path = source / "model-1.safetensors"
    meddler = Meddler(path, path.read_bytes(), in_place)
    solve_all(source, target, "2:4", largest=SMALL, progress=meddler)
    assert not meddler.left


# Finished folders, and work that is gone on with.


@pytest.mark.parametrize("apply", [False, True], ids=["masks", "weights"])
def test_a_finished_folder_knows_its_input(source, target, tmp_path, apply):
    """However old the other one looks."""
    solve_all(source, target, "2:4", apply=apply)
    before = files_of(target)
    content = others(source, tmp_path)
    for name in content:
        path = source / name
        held, stat = path.read_bytes(), path.stat()
        replace(path, content[name])
        os.utime(path, ns=(0, 10**18))
        with pytest.raises(ms.InvalidInput, match=rf"{name}: tensor .* has changed since"):
            solve_all(source, target, "2:4", apply=apply)
        path.write_bytes(held)
        os.utime(path, ns=(0, stat.st_mtime_ns))
    assert solve_all(source, target, "2:4", apply=apply).nbytes == 0
    assert files_of(target) == before


def test_a_copy_of_the_input_will_do(source, target, tmp_path):
    solve_all(source, target, "2:4")
    shutil.copytree(source, tmp_path / "copy")
    assert solve_all(tmp_path / "copy", target, "2:4").nbytes == 0


def test_an_input_that_is_known_is_not_read(source, target, monkeypatch):
    solve_all(source, target, "2:4")
    with monkeypatch.context() as patch:
        patch.setattr("masksolve.checkpoints.changes.read_slice", lambda piece: 1 / 0)
        solve_all(source, target, "2:4")
        os.utime(source / "model-1.safetensors")
        with pytest.raises(ZeroDivisionError):
            solve_all(source, target, "2:4")


def test_a_manifest_of_the_build_before(source, target):
    """It says nothing of its inputs: they are read."""
    solve_all(source, target, "2:4")
    path = target / "masksolve.json"
    content = json.loads(path.read_text())
    del content["inputs"], content["figures"]
    path.write_text(json.dumps(content))
    found = solve_all(source, target, "2:4")
    assert (found.nbytes, found.figures) == (0, {})
    in_place(
        source / "model-1.safetensors", (source / "model-1.safetensors").read_bytes()[:-1] + b"x"
    )
    with pytest.raises(ms.InvalidInput, match=r"'odd\.weight' has changed since"):
        solve_all(source, target, "2:4")


def test_work_is_not_gone_on_with_on_other_weights(source, target, tmp_path):
    """Of the same size and time: what is done already is compared."""
    cut_off(source, target, 25)
    before = files_of(target)
    name = "model-1.safetensors"
    path = source / name
    content = path.read_bytes()
    in_place(path, others(source, tmp_path)[name])
    with pytest.raises(ms.FileFormatError, match=r"has changed since the work in .* began"):
        solve_all(source, target, "2:4", largest=SMALL)
    assert files_of(target) == before
    in_place(path, content)
    solve_all(source, target, "2:4", largest=SMALL)
