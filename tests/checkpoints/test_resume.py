"""Interrupted anywhere, a run goes on and leaves the bytes of one that was not."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints import target as places
from masksolve.checkpoints.journal import Journal
from masksolve.checkpoints.lock import lock
from masksolve.checkpoints.output import ShardOutput
from masksolve.checkpoints.runners import LocalRunner
from masksolve.checkpoints.source import WORK
from tests.checkpoints.models import INDEX, files_of, solve_all, write_checkpoint
from tests.cli.commands import MODULE
from tests.storage.files import unchanged, write_file

SMALL = 1000


class PowerCut(BaseException):
    """Stands for whatever ends a process: nothing of ours handles it."""


class Fuse:
    """Blows at the n-th write of any kind, half of which is done."""

    def __init__(self, monkeypatch, at):
        self.left = at
        self._patch(monkeypatch, ShardOutput, "_write", lambda o, c: (o, c[: c.size // 2]))
        self._patch(monkeypatch, places.os, "replace", None)
        self._patch(monkeypatch, places.shutil, "rmtree", None)
        self._patch(monkeypatch, places.Target, "write", None)
        append = Journal.append

        def torn(journal, line, **options):
            self.left -= 1
            append(journal, line, **options)
            if self.left == 0:
                size = journal.path.stat().st_size
                os.truncate(journal.path, size - 5)
                raise PowerCut

        monkeypatch.setattr(Journal, "append", torn)

    def _patch(self, monkeypatch, owner, name, half):
        whole = getattr(owner, name)

        def wrapped(*arguments, **options):
            self.left -= 1
            if self.left == 0:
                if half is not None:
                    whole(*half(*arguments), **options)
                raise PowerCut
            return whole(*arguments, **options)

        monkeypatch.setattr(owner, name, wrapped)


def interrupt(source, target, at, **options):
    """Run until the fuse blows; tell whether it did."""
    with pytest.MonkeyPatch.context() as patch:
        Fuse(patch, at)
        try:
            solve_all(source, target, "2:4", **({"largest": SMALL} | options))
        except PowerCut:
            return True
    return False


@pytest.fixture(params=[False, True], ids=["masks", "weights"])
def apply(request):
    return request.param


def cut_off(source, target, after=8, error=PowerCut, **options):
    """Run until so many slices are solved, and no further."""
    options = {"largest": SMALL, "runner": Counting(after, error)} | options
    with pytest.raises(error):
        solve_all(source, target, "2:4", **options)


@pytest.fixture
def undisturbed(source, tmp_path, apply):
    solve_all(source, tmp_path / "whole", "2:4", apply=apply, largest=SMALL)
    return files_of(tmp_path / "whole")


def test_cut_off_at_every_write(source, target, undisturbed, apply):
    """Each cut is that of one run more: the work goes on through all of them."""
    cuts = 0
    for at in range(1, 1000):
        if not interrupt(source, target, at, apply=apply):
            break
        cuts += 1
        solve_all(source, target, "2:4", apply=apply, largest=SMALL)
        assert files_of(target) == undisturbed
        shutil.rmtree(target)
    assert cuts > 50


def test_cut_off_where_the_bits_of_a_mask_end_within_a_byte(source, target, tmp_path):
    options = {"tensors": ["experts"], "axes": (1, 2), "largest": 100}
    solve_all(source, tmp_path / "whole", "2:4", **options)
    at = 1
    while interrupt(source, target, at, **options):
        solve_all(source, target, "2:4", **options)
        assert files_of(target) == files_of(tmp_path / "whole")
        shutil.rmtree(target)
        at += 1
    assert at > 20


def test_cut_off_again_and_again(source, target, undisturbed, apply):
    for at in (9, 12, 5, 17, 3, 8):
        assert interrupt(source, target, at, apply=apply)
        assert (target / WORK).is_dir()
        assert not (target / "masksolve.json").exists()
    solve_all(source, target, "2:4", apply=apply, largest=SMALL)
    assert files_of(target) == undisturbed


class Counting:
    """A runner that counts what it is asked for, and stops after so many slices."""

    def __init__(self, most=10**9, error=PowerCut):
        self.solved = 0
        self.most = most
        self.error = error

    def run(self, slices, ahead):
        for found in LocalRunner().run(slices, ahead):
            if self.solved == self.most:
                raise self.error
            self.solved += 1
            yield found


@pytest.mark.parametrize("error", [PowerCut, KeyboardInterrupt, SystemExit, OSError])
def test_no_slice_that_is_written_is_solved_again(source, target, undisturbed, apply, error):
    options = {"apply": apply, "largest": SMALL}
    cut_off(source, target, 20, error, **options)
    rest = Counting()
    found = solve_all(source, target, "2:4", runner=rest, **options)
    every = Counting()
    solve_all(source, target.with_name("more"), "2:4", runner=every, **options)
    # The journal ends after a byte that is full: a slice more or less with odd shapes.
    assert every.solved - 20 <= rest.solved <= every.solved - 20 + 2
    assert 0 < found.nbytes < sum(a.stat().st_size for a in source.glob("*.safetensors"))
    assert files_of(target) == undisturbed


def test_progress_goes_on_where_it_was(source, target, apply):
    cut_off(source, target, 20, apply=apply)
    seen = []
    options = {"apply": apply, "largest": SMALL, "progress": lambda *counts: seen.append(counts)}
    solve_all(source, target, "2:4", **options)
    assert seen[0][0] > seen[0][1] / 4
    assert seen[-1][0] == seen[-1][1]


def test_bytes_that_a_power_cut_lost_are_written_again(source, target, undisturbed, apply):
    """What the journal says is believed only if the bytes are there."""
    cut_off(source, target, apply=apply)
    path = next((target / WORK / "files").iterdir())
    content = bytearray(path.read_bytes())
    content[-100:] = bytes(100)
    path.write_bytes(content)
    solve_all(source, target, "2:4", apply=apply, largest=SMALL)
    assert files_of(target) == undisturbed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pattern": "1:4"}, 'pattern "2:4", not "1:4"'),
        ({"method": "greedy"}, "method"),
        ({"largest": 2 * SMALL}, "slices"),
        ({"tensors": ["a.weight"]}, "other tensors"),
    ],
)
def test_other_settings_are_refused(source, target, options, words):
    cut_off(source, target)
    asked = {"pattern": "2:4", "largest": SMALL} | options
    words = f"output {target} holds a run .*{words}"
    with unchanged(target, files_of), pytest.raises(ms.InvalidInput, match=words):
        solve_all(source, target, **asked)


def test_a_checkpoint_that_has_changed_is_refused(source, target, shards):
    cut_off(source, target)
    before = files_of(target)
    path = source / "model-1.safetensors"
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(0, 0))
    with pytest.raises(ms.InvalidInput, match="have changed since"):
        solve_all(source, target, "2:4", largest=SMALL)
    shards["model-1.safetensors"]["norm"] = np.zeros(8)
    other = write_checkpoint(source.with_name("other"), shards)
    with pytest.raises(ms.InvalidInput, match="run of another checkpoint"):
        solve_all(other, target, "2:4", largest=SMALL)
    assert files_of(target) == before


def test_a_tensor_that_has_changed_on_the_sly_is_found(source, target):
    cut_off(source, target, 3)
    path = source / "model-1.safetensors"
    stat, content = path.stat(), bytearray(path.read_bytes())
    start = len(content) - 37 * 21 * 2 - 96 * 64 * 2  # where a.weight begins
    content[start : start + 2] = bytes(2)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(ms.FileFormatError, match=r"'a\.weight' has changed since"):
        solve_all(source, target, "2:4", largest=SMALL)


@pytest.mark.parametrize("name", ["settings.json", "journal.jsonl"])
def test_a_damaged_work_folder_is_refused(source, target, name):
    cut_off(source, target, 25)
    path = target / WORK / name
    content = path.read_bytes()
    half, but_three = content[len(content) // 2 :], content.split(b"\n", 3)[3]
    path.write_bytes(half if name == "settings.json" else but_three)
    with pytest.raises(ms.FileFormatError, match=r"damaged.*: remove .*work"):
        solve_all(source, target, "2:4", largest=SMALL)


@pytest.mark.skipif(sys.platform == "win32", reason="no locks")
def test_two_runs_at_once_are_refused(source, target):
    cut_off(source, target)
    with (
        lock(target / WORK / "lock", target),
        unchanged(target, files_of),
        pytest.raises(ms.InvalidInput, match=f"another run is at work in {target}"),
    ):
        solve_all(source, target, "2:4", largest=SMALL)
    solve_all(source, target, "2:4", largest=SMALL)


NONSENSE = {
    "settings.json": [b"", b"[]", b"3", b"{}", b'{"settings": 3, "inputs": []}', b"[" * 10**5],
    "journal.jsonl": [
        b"3\n",
        b"[]\n",
        b"{}\n",
        b'{"shard": 3, "entry": {}}\n',
        b'{"shard": "model-1.safetensors", "entry": {"bytes": 1, "header": "", "tensors": {}}}\n',
        b'{"at": ["a.weight", 0], "end": -1, "written": "", "open": false}\n',
        b'{"at": ["a.weight", 0], "end": "x", "written": "", "open": false}\n',
        b'{"at": ["norm", 0], "end": 100000, "written": "", "open": false, "status": "good"}\n',
        b'{"at": ["zzz", 0], "end": 100000, "written": "", "open": false}\n',
    ],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name in NONSENSE for content in NONSENSE[name]]
)
def test_nonsense_in_the_work_folder_is_a_sentence(source, target, name, content):
    cut_off(source, target, 25)
    (target / WORK / name).write_bytes(content)
    with (
        unchanged(target, files_of),
        pytest.raises(ms.FileFormatError, match=r"damaged.*: remove .*work"),
    ):
        solve_all(source, target, "2:4", largest=SMALL)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"NaN", b"1" + b"0" * 400, b'"1"'])
@pytest.mark.parametrize("key", [b"objective", b"total", b"seconds"])
def test_numbers_that_none_can_be_are_nonsense_too(source, target, key, number):
    cut_off(source, target, 25)
    path = target / WORK / "journal.jsonl"
    content, old = path.read_bytes(), re.compile(rb'"%s":[^,}]+' % key)
    path.write_bytes(old.sub(b'"%s":%s' % (key, number), content, count=1))
    assert path.read_bytes() != content
    with pytest.raises(ms.FileFormatError, match=r"damaged.*: remove .*work"):
        solve_all(source, target, "2:4", largest=SMALL)


@pytest.mark.parametrize("key", [b"method", b"upper_bound", b"total", b"tiles", b"rivals"])
def test_a_verdict_without_one_of_its_parts_is_nonsense_too(source, target, key):
    cut_off(source, target, 25)
    path = target / WORK / "journal.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"%s"' % key, b'"%s"' % key.upper(), 1))
    with pytest.raises(ms.FileFormatError, match=r"damaged.*: remove .*work"):
        solve_all(source, target, "2:4", largest=SMALL)


def test_an_end_beyond_all_bytes_is_soon_found_out(source, target, undisturbed, apply):
    cut_off(source, target, 8, apply=apply)
    path = target / WORK / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join(lines[:-1]) + re.sub(rb'"end":[0-9]+', b'"end":%d' % 10**15, lines[-1])
    )
    solve_all(source, target, "2:4", apply=apply, largest=SMALL)
    assert files_of(target) == undisturbed


def test_nothing_is_published_without_a_shard(source, target, apply):
    """Lost between the last byte and the manifest."""

    def lose(place, *names):
        raise PowerCut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places.Target, "publish", lose)
        with pytest.raises(PowerCut):
            solve_all(source, target, "2:4", apply=apply)
    (target / WORK / "files" / "model-2.safetensors").unlink()
    with pytest.raises(ms.FileFormatError, match=r"model-2\.safetensors is not as it was written"):
        solve_all(source, target, "2:4", apply=apply)
    assert not (target / "masksolve.json").exists()


def test_a_shard_that_was_finished_and_is_damaged_is_found(source, target, apply):
    """Nothing is solved after it that would read it again."""
    cut_off(source, target, 40, apply=apply)
    path = target / WORK / "files" / "model-1.safetensors"
    content = path.read_bytes()
    for damaged in (content[:-9] + bytes(9), b"x" + content[1:], content[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(ms.FileFormatError, match=r"model-1\.safetensors is not as it was"):
            solve_all(source, target, "2:4", apply=apply, largest=SMALL)
    path.write_bytes(content)
    solve_all(source, target, "2:4", apply=apply, largest=SMALL)


@pytest.mark.parametrize("name", ["masksolve.json.part", "settings.json", "part", "lock"])
def test_shards_of_any_name(tmp_path, target, shards, name):
    """Those that files of ours have, or had, while at work."""
    renamed = {name if key == "model-2.safetensors" else key: t for key, t in shards.items()}
    source = write_checkpoint(tmp_path / "renamed", renamed)
    if name == "settings.json":  # else the helper writes over it
        write_file(source / name, renamed[name])
    for at in (5, 30):
        interrupt(source, target, at)
    solve_all(source, target, "2:4", largest=SMALL)
    ms.verify_checkpoint(target)
    assert list(ms.load_masks(target / name)) == ["b.weight"]


@pytest.mark.parametrize("name", ["masksolve.json", INDEX, ".masksolve-work"])
def test_shards_that_cannot_be(source, target, name):
    index = json.loads((source / INDEX).read_text())
    index["weight_map"]["scale"] = name
    (source / INDEX).write_text(json.dumps(index))
    with pytest.raises(ms.FileFormatError, match=f"no shard can be named {name}"):
        solve_all(source, target, "2:4")


@contextmanager
def started(source, target, *options):
    process = subprocess.Popen(
        [*MODULE, "solve", source, target, "--pattern=4:8", *options],
        stdout=subprocess.DEVNULL,
        # Whoever runs the tests may be deaf to Ctrl-C, and children take after it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def journal_lines(folder):
    """Count those of the only work that goes on anywhere in a folder."""
    lines = 0
    for path in folder.rglob("journal.jsonl"):
        with suppress(FileNotFoundError):  # it is done by now
            lines += path.read_bytes().count(b"\n")
    return lines


@pytest.mark.parametrize(
    ("number", "kind", "options"),
    [
        ("SIGKILL", "folder", ()),
        ("SIGKILL", "file", ("--apply",)),
        ("SIGTERM", "file", ()),
        ("SIGINT", "folder", ("--apply",)),
    ],
)
def test_processes_that_are_killed(tmp_path, target, number, kind, options):
    """As users see it: the same command again, until it is done."""
    rng = np.random.default_rng(0)
    tensors = {f"{k}.weight": rng.normal(size=(256, 1024)).astype("f4") for k in range(48)}
    items = list(tensors.items())
    shards = {f"model-{k}.safetensors": dict(items[k::3]) for k in range(3)}
    source = write_checkpoint(tmp_path / "model", shards)
    if kind == "file":
        source = write_file(tmp_path / "model.safetensors", tensors)
    whole, single = tmp_path / "whole", kind == "file"
    solve_all(source, whole, "4:8", apply=bool(options), single=single)
    chance, kills = random.Random(0), 0
    for _ in range(2):
        before = journal_lines(tmp_path)
        with started(source, target, *options) as process:
            while process.poll() is None and journal_lines(tmp_path) < before + 2:
                time.sleep(0.001)
            time.sleep(0.01 * chance.random())
            process.send_signal(getattr(signal, number))
            kills += process.wait() != 0
    with started(source, target, *options) as process:
        assert process.wait() == 0
    assert kills
    if single:
        assert target.read_bytes() == whole.read_bytes()
        assert journal_lines(tmp_path) == 0
    else:
        assert files_of(target) == files_of(whole)
