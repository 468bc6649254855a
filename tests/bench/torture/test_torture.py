"""The torture itself: rounds that can be repeated, what it says, and how it judges an end."""

import signal
import sys

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.torture import __main__ as program
from masksolve.bench.torture import command as commands
from masksolve.bench.torture.command import Command, Ended
from masksolve.bench.torture.damage import spoil
from masksolve.bench.torture.kinds import KINDS, Kind
from masksolve.bench.torture.models import contents
from masksolve.bench.torture.rounds import Torture
from masksolve.bench.torture.trial import Trial
from tests.bench.processes import ROOT, python


def trial(tmp_path, seed=0):
    return Trial(np.random.default_rng(seed), tmp_path, Command(), ms.solve)


def drawn(seed, number):
    """What a round of problems solves."""
    seen = []

    def solve(weights, pattern, threads):
        seen.append((weights.tobytes(), str(pattern), threads))
        return ms.solve(weights, pattern, threads=threads)

    Torture(seed, ["a"], solve=solve).round("a", number)
    return seen


def test_a_round_is_repeated_by_its_seed_and_number():
    assert drawn(0, 2) == drawn(0, 2)
    assert drawn(0, 2) != drawn(0, 3)
    assert drawn(0, 2) != drawn(1, 2)


@pytest.fixture
def planted(monkeypatch):
    """Kinds with one that fails in its second round."""

    def fails(trial):
        (trial.folder / "file").write_text("of the round")
        trial.expect(trial.rng.bit_generator.seed_seq.entropy[2] != 1, "this is wrong")
        trial.passed_over.append("nothing to try")

    monkeypatch.setitem(KINDS, "a", Kind("planted", fails))


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["torture", *arguments])
    with pytest.raises(SystemExit) as stop:
        program.main()
    return stop.value.code


@pytest.fixture(autouse=True)
def handlers():
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_failure_is_told_with_the_command_that_repeats_it(planted, monkeypatch, capsys, tmp_path):
    keep = ("--keep", str(tmp_path / "kept"))
    assert run(monkeypatch, "--kinds", "a", "--round", "0", *keep) == 0
    assert "failed" not in capsys.readouterr().err
    assert run(monkeypatch, "--seed", "5", "--kinds", "a", "--round", "1", *keep) == 1
    out, err = capsys.readouterr()
    again = "python -m masksolve.bench.torture --seed 5 --kinds a --round 1"
    assert f"failed: {again}\nthis is wrong\n" in err
    assert "a planted |      1 |      1 |           1 |        1" in out
    assert contents(tmp_path / "kept") == {".": None, "a-1": None, "a-1/file": b"of the round"}


def test_what_is_passed_over_is_told_once(planted):
    said = []
    torture = Torture(0, ["a"], tell=said.append)
    for _ in range(3):
        torture.round("a", 0)
    assert said == ["passed over: nothing to try"]
    assert torture.counts["a"].passed_over.total() == 3


def test_an_error_of_the_torture_itself_is_a_failure(monkeypatch):
    monkeypatch.setitem(KINDS, "a", Kind("planted", lambda trial: 1 / 0))
    said = []
    torture = Torture(0, ["a"], tell=said.append)
    torture.round("a")
    assert torture.failed
    assert "ZeroDivisionError" in said[0]


def test_time_is_shared_out(planted):
    torture = Torture(0, ["a", "b"])
    torture.counts["a"].seconds = 1.0
    assert torture.next_kind() == "b"


def test_no_such_kind(monkeypatch, capsys):
    assert run(monkeypatch, "--kinds", "a,x") == 2
    assert "'a,x' is not of the form a,b: a,b,c,d,e,f,g" in capsys.readouterr().err


def test_as_it_is_called():
    code, out, errors = python(
        "-m", "masksolve.bench.torture", "--kinds", "a", "--round", "0", "--seed", "3"
    )
    assert (code, errors) == (0, "")
    assert "a solver against HiGHS" in out
    assert "masksolve.bench.torture --minutes" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    ("code", "said", "fine"),
    [
        (0, "", True),
        (1, "", True),
        (2, "masksolve: no.\n", True),
        (0, "masksolve: a warning\n", True),
        (2, "", False),
        (2, "no.\n", False),
        (2, "masksolve: no.\nmasksolve: no.\n", False),
        (2, "Traceback (most recent call last):\n", False),
        (3, "", False),
        (-11, "", False),
        (None, "", False),
    ],
)
def test_what_is_a_fine_end(code, said, fine, tmp_path):
    assert trial(tmp_path).expect_end(Ended(code, said), [0, 1, 2], "it") == fine


LOOPS = """
import sys, time
def main(arguments):
    print("masksolve: on it", file=sys.stderr, flush=True)
    if arguments == ["crash"]:
        raise ValueError
    time.sleep(600)
if __name__ == "__main__":
    main(sys.argv[1:])
"""


@pytest.mark.parametrize("start", ["start", "start_fresh"])
def test_a_command_that_does_not_end_is_ended(start, tmp_path, monkeypatch):
    (tmp_path / "loops.py").write_text(LOOPS)
    monkeypatch.setattr(commands, "BOUND", 1.0)
    running = getattr(Command(tmp_path / "loops.py"), start)("loop")
    assert running.wait() == Ended(None, "masksolve: on it\n")


@pytest.mark.parametrize("start", ["start", "start_fresh"])
def test_what_a_command_says_and_how_it_ends(start, tmp_path):
    (tmp_path / "loops.py").write_text(LOOPS)
    start = getattr(Command(tmp_path / "loops.py"), start)
    ended = start("crash").wait()
    assert ended.code == 1
    assert ended.said.startswith("masksolve: on it\n")
    assert "Traceback" in ended.said
    running = start("loop")
    running.send(signal.SIGKILL)
    assert running.wait().code == -signal.SIGKILL


def test_no_command_outlives_its_round(tmp_path, monkeypatch):
    (tmp_path / "loops.py").write_text(LOOPS)
    started = []

    def interrupted(trial):
        started.append(trial.command.start("loop"))
        raise KeyboardInterrupt

    monkeypatch.setitem(KINDS, "a", Kind("planted", interrupted))
    with pytest.raises(KeyboardInterrupt):
        Torture(0, ["a"], command=tmp_path / "loops.py").round("a")
    assert started[0].over


def test_spoilt_files_are_others(tmp_path):
    """Every time, in every way; the length of a safetensors header stays true."""
    header = b'{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
    whole = len(header).to_bytes(8, "little") + header + bytes(range(16))
    rng, path, said = np.random.default_rng(0), tmp_path / "file", set()
    for _ in range(200):
        path.write_bytes(whole)
        said.add(spoil(rng, path))
        assert path.read_bytes() != whole
    assert said == {f"file damaged ({way})" for way in ("flip", "cut", "extend", "zero", "number")}
