"""One run at a time on an output: one wins, the others say so."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints import target as places
from masksolve.checkpoints.lock import lock
from tests.checkpoints.models import files_of, solve_all
from tests.cli.commands import MODULE, assert_one_line
from tests.storage.files import write_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "work" / "lock"


def test_one_holds_it_and_then_the_next(path):
    for _ in range(2):
        with (
            lock(path, path.parent),
            pytest.raises(ms.InvalidInput, match=f"another run is at work in {path.parent}: wait"),
            lock(path, path.parent),
        ):
            pass


def test_whoever_holds_it_may_remove_it(path):
    """The next one makes another; who opened the old one in time notices."""
    with lock(path, path.parent):
        path.unlink()
        path.parent.rmdir()
        with lock(path, path.parent):
            assert path.exists()


def test_another_run_may_end_while_the_disk_is_measured(source, tmp_path, monkeypatch):
    """What it had at work is gone then, with the folder that a second run has just seen."""
    target, usage = tmp_path / "masks", places.shutil.disk_usage
    (target / ".masksolve-work" / "files").mkdir(parents=True)

    def ending(folder):
        if folder.name == ".masksolve-work":
            places.shutil.rmtree(target)
        return usage(folder)

    monkeypatch.setattr(places.shutil, "disk_usage", ending)
    solve_all(source, target, "4:8")
    assert not (target / ".masksolve-work").exists()
    ms.verify_checkpoint(target)


def test_many_at_once_are_never_two(path):
    inside, most, won = [], [], []

    def run():
        for _ in range(200):
            try:
                with lock(path, path.parent):
                    inside.append(1)
                    most.append(len(inside))
                    won.append(1)
                    inside.pop()
                    path.unlink()
            except ms.InvalidInput:
                continue

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(won) > 100


@pytest.mark.parametrize("command", ["solve", "apply"])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_processes_on_one_output(tmp_path, kind, command):
    """Started together: at least one ends well, and what it made is whole."""
    rng = np.random.default_rng(0)
    tensors = {f"{k}.weight": rng.normal(size=(256, 1024)).astype("f4") for k in range(12)}
    model = tmp_path / "model.safetensors"
    if kind == "folder":
        (tmp_path / "model").mkdir()
        model = tmp_path / "model" / "model.safetensors"
    write_file(model, tensors)
    source = model.parent if kind == "folder" else model
    alone, masks, out = (tmp_path / name for name in ("alone", "masks", "out"))
    single = kind == "file"
    solve_all(source, masks, "4:8", single=single)
    if command == "solve":
        arguments = ["solve", source, out, "--pattern=4:8", "--apply"]
        solve_all(source, alone, "4:8", apply=True, single=single)
    else:
        arguments = ["apply", source, masks, out]
        ms.apply_masks(source, masks, alone)
    runs = [
        subprocess.Popen([*MODULE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    done = [(*run.communicate(), run.returncode) for run in runs]
    assert {code for _, _, code in done} <= {0, 2}
    assert 0 in {code for _, _, code in done}
    for _, err, code in done:
        if code:
            assert_one_line(err.decode(), f"another run is at work in {out}")
    if single:
        assert out.read_bytes() == alone.read_bytes()
    else:
        assert files_of(out) == files_of(alone)
    ms.verify_checkpoint(out)
    assert not list(tmp_path.rglob(".masksolve-work*"))


def test_a_folder_that_goes_while_it_is_made(path, monkeypatch):
    """As another run removes its own."""
    mkdir, gone = type(path).mkdir, []

    def late(folder, *arguments, **options):
        if not gone:
            gone.append(folder)
            raise FileExistsError(17, "File exists", str(folder))
        return mkdir(folder, *arguments, **options)

    monkeypatch.setattr(type(path), "mkdir", late)
    with lock(path, path.parent):
        assert path.exists()


def test_a_file_where_the_folder_should_be(path):
    path.parent.write_text("mine")
    with pytest.raises(ms.FileFormatError, match=r"cannot write .*lock"), lock(path, path.parent):
        pass
