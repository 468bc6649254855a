"""Damaged files of every kind: one sentence at most, and nothing wrong that is accepted."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import masksolve as ms
from masksolve.checkpoints.source import Checkpoint

from .jobs import WORK, Job, draw_job, made
from .models import contents
from .trial import Trial

__all__ = ["damage", "spoil"]

NUMBER = re.compile(rb"-?\d+")
NUMBERS = (b"0", b"-1", b"1", b"7", b"4294967296", b"9223372036854775807", b"1e400", b"null")
TRIES = 6
"""Kills that may miss the moment at which there is work to be gone on with."""


def spoil(rng: np.random.Generator, path: Path) -> str:
    """Damage a file, and say in which way."""
    old = path.read_bytes()
    new, kind = bytearray(old), str(rng.choice(["flip", "cut", "extend", "zero", "number"]))
    at = int(rng.integers(len(old) + 1))
    if kind == "cut":
        del new[at:]
    elif kind == "extend":
        new += rng.bytes(int(rng.integers(1, 100)))
    elif kind == "zero":
        stop = min(len(old), at + int(rng.integers(1, 64)))
        new[at:stop] = bytes(stop - at)
    elif kind == "number":
        new = bytearray(_other_number(rng, old))
    if new == old and old:  # none of these has changed anything, or it was to be a flip
        kind = "flip"
        for place in rng.integers(len(old), size=rng.integers(1, 4)):
            new[place] ^= int(rng.integers(1, 256))
    path.write_bytes(new)
    return f"{path.name} damaged ({kind})"


def _other_number(rng: np.random.Generator, old: bytes) -> bytes:
    """Put another number into JSON; in safetensors that is the header, whose length stays true."""
    length = int.from_bytes(old[:8], "little")
    tensors = 8 + length <= len(old) and old[8:9] == b"{"
    start, stop = (8, 8 + length) if tensors else (0, len(old))
    found = list(NUMBER.finditer(old[start:stop]))
    if not found:
        return old
    match = found[rng.integers(len(found))]
    number = int(match[0][:18]) + int(rng.integers(-8, 9))
    instead = str(number).encode() if rng.random() < 0.5 else bytes(rng.choice(NUMBERS))
    header = old[start : start + match.start()] + instead + old[start + match.end() : stop]
    return (len(header).to_bytes(8, "little") if tensors else b"") + header + old[stop:]


def damage(trial: Trial) -> None:
    """Damage a file that a command reads, or goes on with."""
    job = draw_job(trial)
    masks, whole = trial.folder / "masks", trial.folder / "whole"
    if not masks.exists():
        trial.expect_done("solve", job.source, masks, "--pattern", job.pattern, what="masks")
    began = time.perf_counter()
    trial.expect_done(*job.into(whole), what="undisturbed")
    seconds = time.perf_counter() - began
    what = trial.rng.choice(["input", "masks", "output", "work", "work"])
    if what == "work":
        _damaged_work(trial, job, whole, seconds)
    elif what == "output":
        _damaged_output(trial, whole)
    else:
        _damaged_input(trial, job, masks, job.source if what == "input" else masks)


def _files(place: Path) -> list[Path]:
    return sorted(path for path in [place, *place.rglob("*")] if path.is_file())


def _pick(trial: Trial, paths: list[Path]) -> Path:
    return paths[trial.rng.integers(len(paths))]


def _damaged_input(trial: Trial, job: Job, masks: Path, victim: Path) -> None:
    """Damage weights or masks, and run every command that reads them."""
    said = spoil(trial.rng, _pick(trial, _files(victim)))
    before = contents(job.source), contents(masks)
    out, shard = trial.folder / "out", _pick(trial, _files(job.source))
    commands: list[list[str | Path]] = [
        ["apply", job.source, masks, out],
        ["certify", job.source, masks],
        ["solve", job.source, out, "--pattern", job.pattern],
        ["solve", job.source, out, "--pattern", job.pattern, "--apply"],
        ["check", job.source, "--pattern", job.pattern],
        ["check", masks],
        ["check", masks, "--checksums"],
        ["plan", shard, "--patterns", "2:4", "--sample", "4"],
    ]
    for command in commands:
        ended = trial.command.run(*command)
        what = f"{said}: {command[0]}"
        trial.expect_end(ended, [0, 1, 2], what)
        trial.expect((contents(job.source), contents(masks)) == before, f"{what}: input modified")
        if ended.code == 0 and out in command:
            pattern = job.pattern if command[0] == "solve" else None
            kind = "masks" if command[-1] == job.pattern else "weights"
            _check_accepted(trial, job.source, masks, out, pattern, kind, what)
        elif out in command:
            trial.expect(not made(out), f"{what}: published though refused")
        _remove(trial, out)


def _remove(trial: Trial, out: Path) -> None:
    """Make room for the next command."""
    for path in [out, *trial.folder.glob(f"{WORK}*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _check_accepted(
    trial: Trial, source: Path, masks: Path, out: Path, pattern: str | None, kind: str, what: str
) -> None:
    """Check that what was written, of whatever was read, obeys its pattern."""
    try:
        if kind == "masks":
            for name, stored in ms.load_masks(out).items():
                fine = ms.is_valid(stored.mask, pattern or stored.pattern)
                trial.expect(fine, f"{what}: mask {name} breaks its pattern")
            return
        patterns = {} if pattern else {n: s.pattern for n, s in ms.load_masks(masks).items()}
        written = Checkpoint.open(out)
        for name, spec in Checkpoint.open(source).tensors.items():
            if len(spec.shape) == 2 and spec.floating and (pattern or name in patterns):
                one = ms.Pattern.parse(pattern or patterns[name])
                loose = ms.Pattern(one.n, one.m, one.transposable, at_most=True)
                fine = ms.is_valid(written.file(name).read(name) != 0, loose)
                trial.expect(fine, f"{what}: weights {name} break their pattern")
    except ms.MasksolveError as error:
        trial.expect(False, f"{what}: accepted, and then {error}")


def _damaged_output(trial: Trial, whole: Path) -> None:
    """Flip a byte of what was written: it is found. The manifest has nothing to hold it."""
    files = [path for path in _files(whole) if path.name != "masksolve.json"]
    for _ in range(6):
        path = _pick(trial, [path for path in files if path.stat().st_size])
        old = path.read_bytes()
        place = int(trial.rng.integers(len(old)))
        flipped = old[place] ^ int(trial.rng.integers(1, 256))
        path.write_bytes(old[:place] + bytes([flipped]) + old[place + 1 :])
        ended = trial.command.run("check", whole, "--checksums")
        what = f"byte {place} of {path.name} flipped: check --checksums"
        trial.expect_end(ended, [1, 2], what)
        path.write_bytes(old)
    trial.expect_done("check", whole, "--checksums", what="put right again, check")


def _interrupted(trial: Trial, job: Job, target: Path, seconds: float) -> list[Path]:
    """Kill a command until there is work to be gone on with; return its files."""
    for _ in range(TRIES):
        running = trial.command.start(*job.into(target))
        time.sleep(trial.rng.uniform(0.1, 0.9) * seconds)
        running.send(signal.SIGKILL)
        running.wait()
        places = [target / WORK, *trial.folder.glob(f"{WORK}*")]
        found = [path for place in places for path in _files(place)]
        if found:
            return found
        _remove(trial, target)
    return []


def _damaged_work(trial: Trial, job: Job, whole: Path, seconds: float) -> None:
    """Damage a file of interrupted work: it is refused, or its bytes are right all the same."""
    target = trial.folder / "out"
    files = _interrupted(trial, job, target, seconds)
    if not files:
        trial.passed_over.append("damaged work: no kill left any")
        return
    said = spoil(trial.rng, _pick(trial, files))
    before, published = contents(job.source), made(target)  # where the kill met the last moves
    ended = trial.command.run(*job.into(target))
    trial.expect_end(ended, [0, 2], f"{said}: the command, given again,")
    trial.expect(contents(job.source) == before, f"{said}: the input was modified")
    if ended.code == 0:
        fine = _tensors(target) == _tensors(whole)
        trial.expect(fine, f"{said}: gone on with to other tensors than without")
    else:
        trial.expect(made(target) == published, f"{said}: published though refused")


def _tensors(place: Path) -> dict[str, bytes]:
    """Give the bytes of all tensors: what the journal says besides has no other witness."""
    return dict(_each_tensor(place))


def _each_tensor(place: Path) -> Iterator[tuple[str, bytes]]:
    found = Checkpoint.open(place)
    for name in found.tensors:
        yield name, b"".join(found.file(name).parts(name))
