"""A run that is cut short goes on to the same bytes; one that is whole is not done again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.pruning.work import Work
from tests.torch.pruning import models

pytestmark = pytest.mark.filterwarnings("ignore:.* tokens calibrate:UserWarning")


class Killed(BaseException):
    """Nothing catches it."""


def prune(folder: Path, out: Path, **options: Any) -> Any:
    x = models.inputs("llama")["input_ids"].repeat(20, 1)  # several batches
    return mst.prune_checkpoint(folder, out, "4:8", x, rounds=2, **options)


def content(folder: Path) -> dict[str, bytes]:
    """Return all files but the report, which tells seconds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "report.json"
    }


def die_after(monkeypatch: Any, calls: int) -> None:
    """Have the run end at one of the moments in which it changes files."""
    left = calls

    def dying(function: Any) -> Any:
        def called(*args: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return function(*args, **named)

        return called

    for owner, name in ((os, "replace"), (np, "save"), (os, "fsync")):
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


def test_cut_short_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: Any) -> None:
    folder = models.make("llama", tmp_path / "model", shards="20KB")
    prune(folder, tmp_path / "whole")
    draw, deaths = random.Random(0), 0
    for _ in range(2):
        out = tmp_path / f"out{deaths}"
        while not out.exists():
            with monkeypatch.context() as patch:
                die_after(patch, draw.randrange(40))
                try:
                    prune(folder, out)
                except Killed:
                    deaths += 1
                    assert not out.exists()
        assert content(out) == content(tmp_path / "whole")
        assert not Work(out).path.exists()
    assert deaths > 3


def test_killed_it_goes_on_behind_the_blocks_that_are_done(
    tmp_path: Path, monkeypatch: Any
) -> None:
    folder = models.make("llama", tmp_path / "model")
    prune(folder, tmp_path / "whole")
    out, work = tmp_path / "out", Work(tmp_path / "out").path
    script = (
        "from tests.torch.pruning.test_going_on import prune; from pathlib import Path; "
        f"prune(Path({str(folder)!r}), Path({str(out)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", script])
    while not (work / "block-00000").exists():
        assert child.poll() is None
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not out.exists()
    done: list[tuple[int, int]] = []
    prune(folder, out, progress=lambda now, total: done.append((now, total)))
    assert done == [(1, 2), (2, 2)]
    assert content(out) == content(tmp_path / "whole")


def test_a_finished_run_is_not_done_again(tmp_path: Path, monkeypatch: Any) -> None:
    folder, out = models.make("llama", tmp_path / "model"), tmp_path / "out"
    report = prune(folder, out)
    before = content(out)
    again = prune(folder, out)
    assert again.to_dict() == report.to_dict()
    assert content(out) == before
    with pytest.raises(InvalidInput, match='holds a run with algorithm "admm", not "wanda"'):
        prune(folder, out, algorithm="wanda")
    assert content(out) == before


def test_the_work_of_another_run_is_not_gone_on_with(tmp_path: Path, monkeypatch: Any) -> None:
    folder, out = models.make("llama", tmp_path / "model"), tmp_path / "out"
    with monkeypatch.context() as patch:
        die_after(patch, 30)
        with pytest.raises(Killed):
            prune(folder, out)
    assert (Work(out).path / "block-00000").exists()
    with pytest.raises(InvalidInput, match=r"holds a run with mode .* remove .* to give that up"):
        prune(folder, out, mode="parallel")
    prune(folder, out)
    assert out.exists()


def test_two_runs_at_once(tmp_path: Path) -> None:
    folder, out = models.make("llama", tmp_path / "model"), tmp_path / "out"

    def meanwhile(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(InvalidInput, match="another run is at work"):
                prune(folder, out)

    prune(folder, out, progress=meanwhile)
