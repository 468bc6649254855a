"""What lies beside the tensors: all of it, links and folders within folders."""

import os
from pathlib import Path

import pytest

import masksolve as ms
from masksolve.checkpoints.others import find_others
from tests.checkpoints.models import files_of, solve_all


@pytest.fixture
def folder(source):
    """A sentence encoder's folder, behind links as a cache keeps them."""
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text("{}")
    (source / "a" / ".deep").mkdir(parents=True)
    (source / "a" / ".deep" / "x").write_bytes(b"x")
    (source / "nothing").mkdir()
    blob = source.parent / "blob"
    blob.write_text("words")
    (source / "vocab.txt").symlink_to(blob)
    (source / "linked").symlink_to(source / "1_Pooling")
    (source / "masksolve.json").write_text("of an earlier run")
    return source


EXPECTED = [
    ".hidden",
    "1_Pooling/config.json",
    "a/.deep/x",
    "config.json",
    "linked/config.json",
    "pytorch_model.bin",
    "settings.json",
    "vocab.txt",
]


def test_everything_else_is_copied(folder, target):
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    found = solve_all(folder, target, "2:4", apply=True)
    for name in EXPECTED:
        assert (target / name).read_bytes() == (folder / name).read_bytes()
        assert not (target / name).is_symlink()
    assert list((target / "nothing").iterdir()) == []
    assert [path.as_posix() for path in found.others.files] == EXPECTED
    assert found.others.weights == ["pytorch_model.bin"]
    assert [str(path) for path in found.others.left] == ["dangling", "loop", "pipe"]
    ms.verify_checkpoint(target)
    (target / "1_Pooling" / "config.json").write_text("[]")
    with pytest.raises(ms.FileFormatError, match=r"1_Pooling/config\.json is not as it was"):
        ms.verify_checkpoint(target)


def test_masks_alone_take_nothing_along(folder, target):
    solve_all(folder, target, "2:4")
    assert not (target / "config.json").exists()


def test_apply_copies_the_same(folder, target, tmp_path):
    solve_all(folder, tmp_path / "masks", "2:4")
    ms.apply_masks(folder, tmp_path / "masks", tmp_path / "applied")
    solve_all(folder, target, "2:4", apply=True)
    mine, theirs = files_of(tmp_path / "applied"), files_of(target)
    assert mine.keys() == theirs.keys()
    assert {name for name in mine if mine[name] != theirs[name]} == {"masksolve.json"}


def test_an_output_within_the_input_is_not_copied_into_itself(folder):
    target = folder / "sparse"
    solve_all(folder, target, "2:4", apply=True)
    assert not (target / "sparse").exists()
    assert (target / "1_Pooling" / "config.json").exists()


def test_names_of_ours_count_at_the_top_alone(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("mine", "sub/mine"):
        (tmp_path / name).write_bytes(b"")
    assert find_others(tmp_path, {"mine"}, tmp_path / "none").files == [Path("sub/mine")]


def test_what_cannot_be_read_is_named(folder, target):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (folder / "a").chmod(0)
    with pytest.raises(ms.FileFormatError, match=r"cannot read .*a"):
        solve_all(folder, target, "2:4", apply=True)
