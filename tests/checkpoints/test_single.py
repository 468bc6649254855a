"""A file in, a file out: the same pipeline as that of folders, with all its powers."""

import os
import shutil

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints.runners import LocalRunner
from masksolve.checkpoints.source import WORK
from tests.checkpoints.models import solve_all
from tests.checkpoints.test_resume import Counting, PowerCut, interrupt
from tests.storage.files import read_file, read_metadata, write_file

SMALL = 1000


@pytest.fixture
def model(tmp_path, shards):
    tensors = {name: array for part in shards.values() for name, array in part.items()}
    return write_file(tmp_path / "model.safetensors", tensors, {"format": "pt", "note": "ü"})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.safetensors"


@pytest.fixture(params=[False, True], ids=["masks", "weights"])
def apply(request):
    return request.param


def test_a_file_becomes_a_file_of_what_a_folder_becomes(model, source, out, target, apply):
    solve_all(model, out, "2:4", apply=apply)
    solve_all(source, target, "2:4", apply=apply)
    expected = {}
    for path in target.glob("*.safetensors"):
        expected |= read_file(path)
    found = read_file(out)
    assert found.keys() == expected.keys()
    assert all(found[name].tobytes() == expected[name].tobytes() for name in found)
    if apply:
        assert read_metadata(out).items() >= {"format": "pt", "note": "ü"}.items()
    else:
        stored = ms.load_masks(out)
        for name, mask in ms.load_masks(target).items():
            assert stored[name].record == mask.record


@pytest.mark.parametrize(
    ("name", "single", "is_file"),
    [
        ("out.safetensors", None, True),
        ("out", None, False),
        ("out", True, True),
        ("out.safetensors", False, False),
    ],
)
def test_who_decides_what_the_output_is(model, tmp_path, name, single, is_file):
    solve_all(model, tmp_path / name, "2:4", single=single)
    assert (tmp_path / name).is_file() == is_file


def test_a_folder_there_already_gets_the_file(model, out):
    out.mkdir()
    solve_all(model, out, "2:4")
    assert (out / "model.safetensors").is_file()


def test_cut_off_at_every_write(model, out, tmp_path, apply):
    options = {"apply": apply, "largest": SMALL}
    solve_all(model, out, "2:4", **options)
    whole = out.read_bytes()
    out.unlink()
    cuts = 0
    for at in range(1, 1000, 3):
        if not interrupt(model, out, at, **options):
            break
        cuts += 1
        assert not out.exists()
        assert [path.name.startswith(WORK) for path in tmp_path.iterdir()].count(True) == 1
        solve_all(model, out, "2:4", **options)
        assert out.read_bytes() == whole
        assert {path.name for path in tmp_path.iterdir()} == {model.name, out.name}
        out.unlink()
    assert cuts > 15


def test_no_slice_that_is_written_is_solved_again(model, out, apply):
    options = {"apply": apply, "largest": SMALL}
    with pytest.raises(PowerCut):
        solve_all(model, out, "2:4", runner=Counting(20, PowerCut), **options)
    rest, every = Counting(), Counting()
    solve_all(model, out, "2:4", runner=rest, **options)
    solve_all(model, out, "2:4", runner=every, **options)
    assert every.solved - 20 <= rest.solved <= every.solved - 18


def test_other_settings_are_refused_until_the_work_is_removed(model, out, tmp_path):
    assert interrupt(model, out, 20)
    with pytest.raises(ms.InvalidInput, match=r'pattern "2:4", not "1:4": remove .*work') as caught:
        solve_all(model, out, "1:4", largest=SMALL)
    shutil.rmtree(str(caught.value).split("remove ")[1].split(" to give")[0])
    solve_all(model, out, "1:4", largest=SMALL)


def test_an_older_file_stays_until_all_is_done(model, out):
    out.write_bytes(b"older")
    assert interrupt(model, out, 20)
    assert out.read_bytes() == b"older"
    solve_all(model, out, "2:4", largest=SMALL)
    assert ms.load_masks(out)


def test_an_older_file_of_the_same_size_is_not_taken_for_the_work(model, out, tmp_path):
    """Where the work is done but for the move, and what it made is gone."""

    def stop(*arguments):
        raise PowerCut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("masksolve.checkpoints.target.Target.publish", stop)
        with pytest.raises(PowerCut):
            solve_all(model, out, "2:4", largest=SMALL)
    work = next(path for path in tmp_path.iterdir() if path.name.startswith(WORK))
    whole = (work / "files" / model.name).read_bytes()
    (work / "files" / model.name).unlink()
    out.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ms.FileFormatError, match="is not as it was written: remove"):
        solve_all(model, out, "2:4", largest=SMALL)
    out.write_bytes(whole)
    solve_all(model, out, "2:4", largest=SMALL)  # moved, and cut off then
    assert not work.exists()
    assert out.read_bytes() == whole


def test_two_files_of_one_folder_do_not_meet(model, out, tmp_path):
    other = tmp_path / "other.safetensors"
    assert interrupt(model, out, 20)
    assert interrupt(model, other, 25)
    for path in (out, other):
        solve_all(model, path, "2:4", largest=SMALL)
    assert out.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("made", ["masks", "weights", "applied"])
def test_every_byte_has_its_checksum(model, out, tmp_path, made):
    solve_all(model, out, "2:4", apply=made == "weights")
    if made == "applied":
        ms.apply_masks(model, out, tmp_path / "applied.safetensors")
        out = tmp_path / "applied.safetensors"
    content = out.read_bytes()
    assert ms.verify_checkpoint(out) == len(content)
    rng = np.random.default_rng(0)
    header = int.from_bytes(content[:8], "little")
    for at in [*rng.integers(8, 8 + header, 40), *rng.integers(8 + header, len(content), 40)]:
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        out.write_bytes(damaged)
        with pytest.raises(ms.FileFormatError, match=str(out)):
            ms.verify_checkpoint(out)


def test_a_file_without_checksums(model, out):
    with pytest.raises(ms.FileFormatError, match="carries no checksums"):
        ms.verify_checkpoint(model)
    ms.save_masks(out, {"w": ms.solve(np.eye(8), "2:4")})
    with pytest.raises(ms.FileFormatError, match="carries no checksums"):
        ms.verify_checkpoint(out)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_rivals_are_the_same_for_any_cuts(model, source, out, target, shards, kind):
    methods = ("greedy", "two_approx")
    given = (model, out) if kind == "file" else (source, target)
    found = solve_all(*given, "4:8", compare=methods, largest=SMALL)
    tensors = {name: array for part in shards.values() for name, array in part.items()}
    assert set(found.figures) == {"a.weight", "odd.weight", "b.weight", "head.weight"}
    for name, figures in found.figures.items():
        for method in methods:
            expected = ms.solve(tensors[name], "4:8", method=method)
            rival = figures.compare[method]
            assert rival.objective == pytest.approx(expected.objective, rel=1e-12)
            assert rival.short_tiles == expected.stats["short_tiles"]
        total = np.abs(tensors[name].astype(np.float64)).sum()
        assert figures.total == pytest.approx(total, rel=1e-12)
        assert figures.tiles == expected.stats["tiles"]
    if kind == "folder":
        again = solve_all(*given, "4:8", compare=methods, largest=SMALL)
        for name, figures in again.figures.items():
            assert figures.to_json() == found.figures[name].to_json()
            assert figures.seconds is None
        with pytest.raises(ms.InvalidInput, match="compare"):
            solve_all(*given, "4:8", largest=SMALL)


def test_a_folder_cannot_become_a_file(source, out):
    with pytest.raises(ms.InvalidInput, match="is a folder: its output is one, too"):
        solve_all(source, out, "2:4", single=True)


def test_memory_is_the_limit_of_one_tensor_too(model, out, monkeypatch):
    largest = []

    class Noting(LocalRunner):
        def run(self, slices, ahead):
            return super().run((largest.append(piece.nbytes) or piece for piece in slices), ahead)

    solve_all(model, out, "2:4", largest=SMALL, runner=Noting())
    assert max(largest) < 4 * SMALL


def test_the_name_of_a_file_may_be_as_long_as_names_can_be(model, tmp_path):
    out = tmp_path / ("x" * 255)
    assert interrupt(model, out, 20, single=True)
    solve_all(model, out, "2:4", largest=SMALL, single=True)
    assert out.is_file()
    assert os.listdir(tmp_path).count(out.name) == 1
