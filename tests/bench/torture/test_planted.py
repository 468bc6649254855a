"""Planted faults: the torture finds each of them, and nothing without them."""

import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.torture.rounds import Torture

SLOW = """
from masksolve.checkpoints.output import ShardOutput
put = ShardOutput.put
def slowly(*arguments):  # so that signals and changes meet the work
    time.sleep(0.005)
    return put(*arguments)
ShardOutput.put = slowly
"""

READS_SLOWLY = """
from masksolve.checkpoints import runners
read = runners.begin_reading
def reading(*arguments):  # so that changes come between two slices
    time.sleep(0.01)
    return read(*arguments)
runners.begin_reading = reading
"""

FAULTS = {
    "a resume that skips a step": (
        "b",
        "killed",
        SLOW
        + """
from masksolve.checkpoints.run import Writer
begin = Writer.__init__
def skipping(self, *arguments):
    begin(self, *arguments)
    self.done += bool(self.done)
Writer.__init__ = skipping
""",
    ),
    "a journal that is believed": (
        "b",
        "killed and resumed, it left other bytes",
        SLOW
        + """
def believing(self, steps, lines):
    self._end = lines[-1]["end"] if lines else self._end
    return len(lines)
ShardOutput._replay = believing
""",
    ),
    "an output that is there before it is whole": (
        "b",
        "neither old nor whole",
        SLOW
        + """
from masksolve.checkpoints.target import FileTarget
open_ = FileTarget.open
def publishing(self, *arguments):
    self.path.write_bytes(b"half")
    return open_(self, *arguments)
FileTarget.open = publishing
""",
    ),
    "work that stays": (
        "b",
        "killed and resumed, it left",
        """
from masksolve.checkpoints.target import Target
Target.clear = lambda self: None
""",
    ),
    "a handler that shows a traceback": (
        "c",
        "masksolve.errors.",  # the end of a traceback; its head may be cut off
        """
import masksolve.cli.main
masksolve.cli.main.MasksolveError = ZeroDivisionError
""",
    ),
    "checksums that are not compared": (
        "c",
        "flipped: check --checksums ended with code 0",
        """
from masksolve.checkpoints import manifest
manifest._compare = lambda *arguments: None
""",
    ),
    "a reader that mends its input": (
        "c",
        "input modified",
        """
from masksolve.storage.tensors import TensorFile
begin = TensorFile.__init__
def mending(self, path):
    try:
        begin(self, path)
    except Exception:
        Path(path).write_bytes(b"")
        raise
TensorFile.__init__ = mending
""",
    ),
    "a full disk that is not told": (
        "d",
        "at most: ",
        """
from masksolve.cli.main import main as ours
def main(arguments):
    return 0 if ours(arguments) == 2 else 0
""",
    ),
    "a full disk that leaves half": (
        "d",
        "published though refused",
        """
from contextlib import contextmanager
from masksolve.checkpoints import output
naming = output.naming
@contextmanager
def leaving(name, doing):
    with naming(name, doing):
        try:
            yield
        except OSError:
            Path(name).touch()
            raise
output.naming = leaving
""",
    ),
    "a stamp that never differs": (
        "e",
        "the output is of neither input",
        SLOW
        + """
from masksolve.checkpoints.stamp import Stamp
Stamp.differs = lambda self, other: False
Stamp.proves = lambda self, other: True
""",
    ),
    "a reader that mixes two inputs": (
        "e",
        "the output is of neither input",
        READS_SLOWLY
        + """
from masksolve.checkpoints import changes
changes.refuse_changed_while_read = lambda *arguments: None
""",
    ),
    "a lock that always succeeds": (
        "f",
        "writers",
        SLOW.replace("0.005", "0.02")
        + """
from masksolve.checkpoints import lock
lock._take = lambda *arguments: None
""",
    ),
    "a loser without a word": (
        "f",
        "ended with code 2 and said ''",
        SLOW
        + """
import os
from masksolve.cli.main import main as ours
def main(arguments):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return ours(arguments)
""",
    ),
}
"""By what is wrong: the kind that finds it, what that says of it, and what is planted."""
ROUNDS = 100
"""Most rounds that a fault may take; each of them is found in a few."""
CLEAN = 3


def write(path, code):
    """Write a command with something planted in it."""
    head = "import sys, time\nfrom pathlib import Path\nfrom masksolve.cli.main import main\n"
    path.write_text(head + code + '\nif __name__ == "__main__":\n    sys.exit(main())\n')
    return path


def found(kind, words="failed", rounds=ROUNDS, seed=3, **options):
    """Do rounds until one fails with these words; return what was said then."""
    said = []
    torture = Torture(seed, [kind], tell=said.append, **options)
    for _ in range(rounds):
        torture.round(kind)
        failures = [line for line in said if line.startswith("failed") and words in line]
        if failures:
            return failures
    return []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, tmp_path):
    kind, words, code = FAULTS[fault]
    assert found(kind, words, command=write(tmp_path / "planted.py", code))


@pytest.mark.parametrize("kind", ["b", "c", "d", "e", "f"])
def test_nothing_is_found_without(kind, tmp_path):
    assert not found(
        kind,
        rounds=CLEAN,
        seed=5 if kind == "c" else 3,
        command=write(tmp_path / "as_it_is.py", SLOW),
    )


def exchanged(weights, pattern, **options):
    """Exchange the first two rows of an optimal mask: every line holds what it did."""
    mask = ms.solve(weights, pattern, **options).mask.copy()
    if ms.Pattern.parse(pattern).m > 1:
        mask[..., :2, :] = mask[..., 1::-1, :]
    return SimpleNamespace(mask=mask)


def by_threads(weights, pattern, threads):
    """Find another mask with another number of threads."""
    solve = exchanged if threads > 1 else ms.solve
    return solve(weights, pattern, threads=threads)


def overfull(weights, pattern, **options):
    """Keep everything."""
    return SimpleNamespace(mask=np.ones(weights.shape, dtype=bool))


@pytest.mark.parametrize("solve", [exchanged, by_threads, overfull])
def test_a_wrong_solver_is_found(solve):
    assert found("a", solve=solve)


def test_nothing_is_found_of_the_solver():
    assert not found("a", rounds=CLEAN)


STANDS_IN = """
import os, shutil, sys
from pathlib import Path

def main(arguments):
    given = [part for part in arguments if part.startswith("/")]
    (shutil.copytree if os.path.isdir(given[0]) else shutil.copy)(given[0], given[-1])
    cache = os.environ.get("NUMBA_CACHE_DIR")
    if cache:
        {planted}
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""
"""A command that copies: compiling kernels anew, as masksolve must, takes a minute."""

CACHE_FAULTS = {
    "an error of the cache that comes through": "raise EOFError",
    "a warning without the folder": 'print("masksolve: a cache is damaged", file=sys.stderr)',
    "a warning a file": 'print(f"masksolve: {cache}\\nmasksolve: {cache}", file=sys.stderr)',
    "wrong machine code that is run": "shutil.rmtree(given[-1], True); "
    'Path(given[-1]).is_file() and Path(given[-1]).write_bytes(b"")',
    "a crash": "os.abort()",
}


@pytest.mark.parametrize("fault", CACHE_FAULTS)
def test_a_wrong_use_of_caches_is_found(fault, tmp_path):
    command = tmp_path / "planted.py"
    command.write_text(STANDS_IN.format(planted=textwrap.dedent(CACHE_FAULTS[fault])))
    assert found("g", command=command)


def test_one_warning_that_names_the_folder_is_fine(tmp_path):
    command = tmp_path / "as_it_should_be.py"
    planted = 'print(f"masksolve: the cache {cache} is damaged", file=sys.stderr)'
    command.write_text(STANDS_IN.format(planted=planted))
    assert not found("g", rounds=CLEAN, command=command)
