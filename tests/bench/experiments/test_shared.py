import os
from math import isnan, nan
from operator import itemgetter
from types import SimpleNamespace

import pytest
from scipy import stats

pytest.importorskip("torch")

import torch

from masksolve.bench.experiments.shared.estimates import estimate
from masksolve.bench.experiments.shared.experiment import Experiment
from masksolve.bench.experiments.shared.jobs import workers
from masksolve.bench.experiments.shared.reader import Reader
from masksolve.bench.pages.table import Table
from masksolve.errors import InvalidInput

# Jobs.


def square(number):
    return os.getpid(), torch.get_num_threads(), number**2


@pytest.mark.parametrize("processes", [1, 2])
def test_jobs_run_in_one_thread_each(processes):
    torch.set_num_threads(2)
    with workers(processes) as run_all:
        found = list(run_all(square, [(k,) for k in range(5)]))
    assert sorted(squared for *_, squared in found) == [0, 1, 4, 9, 16]
    assert {threads for _, threads, _ in found} == {1}
    assert (os.getpid() in {pid for pid, *_ in found}) == (processes == 1)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_what_fails_says_which_run_it_was():
    def fail(*job):
        raise RuntimeError("no")

    task, arm = SimpleNamespace(name="mlp"), SimpleNamespace(label="4:8 exact", name=3)
    with workers(1) as run_all, pytest.raises(RuntimeError) as caught:
        list(run_all(fail, [(task, arm, 3)]))
    assert caught.value.__notes__ == ["in the run mlp / 4:8 exact / 3"]


# Estimates.


def test_intervals_are_students():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = estimate(values)
    assert found.mean == 3
    assert found.half == pytest.approx(2.7764 * 2.5**0.5 / 5**0.5, rel=1e-4)  # t of 4 at 97.5 %
    assert 3 + found.half == pytest.approx(stats.t.interval(0.95, 4, 3, stats.sem(values))[1])
    assert found.sure
    assert found.write(100, 1, sign=True) == "+300.0 ± 196.3"
    assert estimate([1.0, 3.0]).half == pytest.approx(12.7062 * 1)
    assert not estimate([1.0, 3.0]).sure


def test_one_seed_has_no_interval_and_none_no_mean():
    one, none = estimate([2.0]), estimate([])
    assert (one.mean, isnan(one.half), one.sure, one.write()) == (2, True, False, "2.00")
    assert (isnan(none.mean), none.sure, none.write()) == (True, False, "-")


# What is read.


def test_only_seeds_count_that_every_arm_was_run_with():
    runs = [("a", 1, 5.0), ("a", 0, 3.0), ("a", 2, 9.0), ("b", 0, 1.0), ("b", 1, 2.0)]
    found = {"runs": [{"arm": a, "seed": s, "loss": x} for a, s, x in runs]}
    reader = Reader(found, lambda run: (run["arm"],))
    assert [run["seed"] for run in reader.runs("a")] == [0, 1, 2]
    assert reader.runs("c") == []
    assert (reader.has("a"), reader.has("c")) == (True, False)
    less = reader.estimate(lambda a, b: a["loss"] - b["loss"], ("a",), ("b",))
    assert (less.mean, less.seeds) == (2.5, 2)
    assert reader.estimate(itemgetter("loss"), ("c",)).mean is nan


# The command.


class Squares:
    """A made-up experiment of four jobs a seed, that counts what is done."""

    def __init__(self, folder):
        self.out, self.kept = folder / "new" / "x.json", folder / "new" / "x.jsonl"
        self.done, self.fails = [], {}

    def square(self, number, seed):
        if (number, seed) in self.fails:
            raise self.fails.pop((number, seed))
        self.done.append((number, seed))
        return {"number": number, "seed": seed, "square": number**2}

    def measure(self, size, seeds, session):
        jobs = {(k, s): (k, s) for s in range(seeds or 1) for k in range(4)}
        runs = session.finish(self.square, jobs, size, itemgetter("number", "seed"))
        return session.found(("numpy",), size=size, runs=runs)

    def fill(self, page, found, **files):
        page.say(found["size"], *files.values())
        page.table(Table("sizes", "size", 1, [(found["size"],)]))

    def __call__(self, *arguments):
        """Give the command's arguments; return what was done."""
        self.done.clear()
        Experiment(
            name="x",
            says="Try.",
            sizes={"smoke": "smoke", "full": "full"},
            needed=("runs", "size"),
            measure=self.measure,
            reader=lambda found: found,
            fill=self.fill,
            files={"more": ("a file", lambda path: path.read_text())},
        ).main(["--out", str(self.out), "--processes", "1", *arguments])
        return list(self.done)


@pytest.fixture
def squares(tmp_path):
    return Squares(tmp_path)


FOUR = [(k, 0) for k in range(4)]


def test_the_command_runs_saves_and_lays_out(squares, tmp_path, capsys):
    more = tmp_path / "more.txt"
    more.write_text("and more")
    assert squares("--size", "smoke", "--more", str(more)) == FOUR
    assert "| smoke |" in capsys.readouterr().out
    assert squares.out.with_suffix(".md").read_text().startswith("smoke and more\n\n| size |")
    page = tmp_path / "pages" / "p.md"
    assert squares("--read", str(squares.out), "--page", str(page)) == []
    assert page.read_text().startswith("smoke\n\n| size |")


def test_finished_jobs_are_not_done_again_and_more_seeds_are_added(squares):
    assert squares() == FOUR
    assert squares() == []
    assert squares("--seeds", "2") == [(k, 1) for k in range(4)]
    assert squares("--seeds", "1") == []
    assert len(squares.kept.read_text().splitlines()) == 1 + 8


def test_an_interruption_loses_nothing_and_says_how_to_go_on(squares):
    squares.fails[2, 0] = KeyboardInterrupt()
    with pytest.raises(SystemExit, match="the same command goes on"):
        squares()
    assert not squares.out.exists()
    assert squares() == FOUR[2:]


def test_a_line_that_was_cut_off_is_done_again(squares):
    squares()
    text = squares.kept.read_text()
    squares.kept.write_text(text[:-20])
    assert squares() == FOUR[3:]
    assert squares.kept.read_text() == text


def test_an_error_is_one_sentence(squares):
    squares.fails[0, 0] = InvalidInput("no good")
    with pytest.raises(SystemExit, match=r"^error: no good$"):
        squares()
    assert not squares.out.exists()
    squares()
    with pytest.raises(SystemExit, match=r"^error: .*x\.jsonl holds runs of other settings"):
        squares("--size", "smoke")
    first, second, *others = squares.kept.read_text().splitlines()
    squares.kept.write_text("\n".join([first, second[:9], *others, ""]))
    with pytest.raises(SystemExit, match=r"^error: .*is damaged: expected JSON on every line"):
        squares()
    with pytest.raises(SystemExit, match=r"^error: cannot read nowhere\.json"):
        squares("--read", "nowhere.json")


@pytest.mark.parametrize("what", ["--seeds", "--processes"])
def test_none_at_all_is_refused(squares, what, capsys):
    with pytest.raises(SystemExit):
        squares(what, "0")
    assert "expected a number from 1 up, got 0" in capsys.readouterr().err
