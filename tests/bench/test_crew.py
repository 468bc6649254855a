"""Crew and worker: whatever a contestant does, the others go on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.contestants import contestants
from masksolve.bench.crew import PATIENCE, Crew, Failure
from masksolve.bench.machine import all_cores

SOLVERS = Path(__file__).with_name("solvers.py")
KNOWN = contestants([SOLVERS])
WANTED = "bool of (32, 4, 4)"


@pytest.fixture(scope="module")
def crew():
    with Crew([SOLVERS], limit=30.0) as found:
        yield found


@pytest.fixture
def matrix(tmp_path):
    path = tmp_path / "scores.npy"
    np.save(path, np.random.default_rng(0).random((32, 16), dtype=np.float32))
    return path


def ready(crew, name, matrix, rows=32):
    crew.ask(KNOWN[name], "prepare", matrix, rows, 2, 4)
    return KNOWN[name]


def test_masks_come_back_as_matrices(crew, matrix, tmp_path):
    scores = np.load(matrix)
    for name, rows in (("exact", 32), ("exact", 8), ("prints", 16)):
        contestant = ready(crew, name, matrix, rows)
        crew.ask(contestant, "mask", tmp_path / "mask.npy")
        mask = np.load(tmp_path / "mask.npy")
        assert mask.shape == (rows, 16)
        ms.check_mask(mask, "2:4")
        if name == "exact":
            np.testing.assert_array_equal(mask, ms.solve(scores[:rows], "2:4").mask)


def test_times_are_per_call(crew, matrix):
    contestant = ready(crew, "prints", matrix)
    loops, seconds = crew.ask(contestant, "calibrate", "solve")
    assert loops & (loops - 1) == 0
    assert loops * seconds > 0.01
    value = crew.ask(contestant, "measure", "solve", loops)
    assert seconds / 20 < value < 20 * seconds


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
def test_peak_memory_is_what_a_call_adds(crew, matrix):
    contestant = ready(crew, "hungry", matrix)
    crew.ask(contestant, "calibrate", "solve")
    assert 45e6 < crew.ask(contestant, "peak", "solve") < 70e6
    assert crew.ask(ready(crew, "prints", matrix), "peak", "solve") < 5e6


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "RuntimeError: no mask today"),
        ("wrong shape", f"TypeError: returned bool of shape (31, 4, 4), expected {WANTED}"),
        ("changes scores", "ValueError: changed the scores that it was given"),
        ("dies", "its process died with exit code 3"),
    ],
)
def test_failures_are_told_in_one_sentence_and_the_next_question_is_answered(
    crew, matrix, tmp_path, name, reason
):
    for _ in range(2):
        contestant = ready(crew, name, matrix)
        with pytest.raises(Failure) as failure:
            crew.ask(contestant, "mask", tmp_path / "mask.npy")
        assert (failure.value.status, failure.value.reason) == ("failed", reason)


def test_who_hangs_is_cut_off_and_some_times_are_enough(matrix):
    with Crew([SOLVERS], limit=1.0) as crew:
        for _ in range(PATIENCE):
            contestant = ready(crew, "hangs", matrix)
            with pytest.raises(Failure, match="no answer within 1 s") as failure:
                crew.ask(contestant, "calibrate", "solve")
            assert failure.value.status == "cut off"
        with pytest.raises(Failure, match="withdrawn after 3 lost processes: "):
            ready(crew, "hangs", matrix)
        assert not crew.members["hangs", all_cores()].process.is_alive()  # nor started again
        ready(crew, "prints", matrix)  # nobody else is harmed


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_children_of_those_cut_off_go_too(matrix):
    with Crew([SOLVERS], limit=1.0) as crew:
        contestant = ready(crew, "leaves a child", matrix)
        with pytest.raises(Failure):
            crew.ask(contestant, "calibrate", "solve")
    time.sleep(0.2)
    lists = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "sleep 3599" not in lists.stdout


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_workers_keep_to_their_cores(crew, matrix):
    mine = os.sched_getaffinity(0)
    crew.ask(KNOWN["exact"], "prepare", matrix, 32, 2, 4, cores=1)
    process = crew.members["exact", 1].process
    assert len(os.sched_getaffinity(process.pid)) == 1
    assert os.sched_getaffinity(0) == mine
    assert all_cores() == len(mine)
    crew.dismiss(1)
    assert not process.is_alive()
