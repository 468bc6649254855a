import json
import os
from importlib import import_module
from math import isnan
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from scipy import stats

pytest.importorskip("torch")

import torch

from masksolve.bench.experiments.command import carry_out, parser
from masksolve.bench.experiments.estimates import estimate
from masksolve.bench.experiments.findings import load, save, where
from masksolve.bench.experiments.jobs import bars, finish, workers
from masksolve.bench.experiments.kept import Kept
from masksolve.bench.experiments.tables import Table
from masksolve.errors import FileFormatError, InvalidInput

DOCS = Path(__file__).parents[2] / "docs"

# Kept runs.


def test_what_was_finished_is_there_again(tmp_path):
    path = tmp_path / "new" / "runs.jsonl"
    kept = Kept.open(path, {"epochs": 3})
    kept.add({"task": "a"})
    with path.open("a") as file:
        file.write('{"task": "b')  # cut off while it was written
    again = Kept.open(path, {"epochs": 3})
    assert again.runs == [{"task": "a"}]
    again.add({"task": "b"})
    assert Kept.open(path, {"epochs": 3}).runs == [{"task": "a"}, {"task": "b"}]


def test_runs_of_other_settings_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "runs.jsonl"
    Kept.open(path, {"epochs": 3}).add({"task": "a"})
    with pytest.raises(InvalidInput, match=r"runs\.jsonl holds runs of other settings"):
        Kept.open(path, {"epochs": 4})
    path.write_text('{"epochs": 3}\nnonsense\n')
    with pytest.raises(InvalidInput, match="is damaged: expected JSON on every line"):
        Kept.open(path, {"epochs": 3})


# Findings.


def test_findings_come_back_as_they_were_saved(tmp_path):
    path = tmp_path / "new" / "f.json"
    for runs in ([], [{"loss": [1.5, 0.25]}, {"loss": []}]):
        found = {"size": "smoke", "runs": runs}
        save(found, path)
        assert load(path, found, "make it") == found == json.loads(path.read_text())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"cannot read .*file\.json"),
        ("{", r"cannot read .*file\.json"),
        ("[1]", "is not what `make it` leaves: it lacks runs, size"),
        ('{"runs": []}', "it lacks size"),
    ],
)
def test_what_are_no_findings_is_refused(tmp_path, content, says):
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FileFormatError, match=says):
        load(path, ("runs", "size"), "make it")


def test_where_it_was():
    found = {"machine": {"cores": 2, "cpu": "A", "commit": "abc"}, "versions": {"torch": "2"}}
    assert where(found) == "2 cores of A, Python ?, torch 2, commit abc"


# Jobs.


def square(number):
    return os.getpid(), torch.get_num_threads(), number**2


@pytest.mark.parametrize("processes", [1, 2])
def test_jobs_run_in_one_thread_each(processes):
    before = torch.get_num_threads()
    with workers(processes) as run_all:
        found = list(run_all(square, [(k,) for k in range(5)]))
    assert sorted(squared for *_, squared in found) == [0, 1, 4, 9, 16]
    assert {threads for _, threads, _ in found} == {1}
    assert (os.getpid() in {pid for pid, *_ in found}) == (processes == 1)
    assert torch.get_num_threads() == before


def test_what_fails_says_which_run_it_was():
    def fail(*job):
        raise RuntimeError("no")

    task, arm = SimpleNamespace(name="mlp"), SimpleNamespace(label="4:8 exact", name=3)
    with workers(1) as run_all, pytest.raises(RuntimeError) as caught:
        list(run_all(fail, [(task, arm, 3)]))
    assert caught.value.__notes__ == ["in the run mlp / 4:8 exact / 3"]


def test_finished_jobs_are_not_done_again(tmp_path):
    done = []

    def run(name, number):
        done.append(name)
        return {"name": name, "square": number**2}

    jobs = {name: (name, number) for number, name in enumerate("abcd")}
    kept = Kept.open(tmp_path / "runs.jsonl", 0)
    kept.add({"name": "c", "square": 4})
    kept.add({"name": "of another size", "square": 0})
    found = finish(run, jobs, kept, itemgetter("name"), 1, Console(quiet=True))
    assert done == ["a", "b", "d"]
    assert [one["square"] for one in found] == [0, 1, 4, 9]
    assert len(Kept.open(kept.path, 0).runs) == 5


def test_bars_count():
    console = Console(record=True, force_terminal=True, width=80, quiet=False)
    with console.capture() as shown, bars(console) as progress:
        progress.advance(progress.add_task("training", total=7, completed=2))
    assert "3/7" in shown.get()


# Estimates.


def test_intervals_are_students():
    found = estimate([1.0, 2.0, 4.0])
    low, high = stats.t.interval(0.95, 2, 7 / 3, stats.sem([1.0, 2.0, 4.0]))
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert found.write(1, 1, sign=True).startswith("+2.3 ± ")


def test_an_estimate_is_worked_out_by_hand():
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3
    assert found.half == pytest.approx(2.7764 * 2.5**0.5 / 5**0.5, rel=1e-4)  # t of 4 at 97.5 %
    assert found.sure
    assert found.write(100, 1, sign=True) == "+300.0 ± 196.3"
    assert estimate([1.0, 3.0]).half == pytest.approx(12.7062 * 1)
    assert not estimate([1.0, 3.0]).sure


def test_one_seed_has_no_interval_and_none_no_mean():
    one, none = estimate([2.0]), estimate([])
    assert (one.mean, isnan(one.half), one.sure, one.write()) == (2, True, False, "2.00")
    assert (isnan(none.mean), none.sure, none.write()) == (True, False, "-")


# Tables and the command.


def test_tables_for_pages_and_terminals(capsys):
    table = Table("a title", ("arm", "loss"), rows=[("`2:4`", "**0.5**")])
    assert table.markdown() == "| arm | loss |\n| --- | ---: |\n| `2:4` | **0.5** |"
    Console(width=40).print(table.rich())
    assert "| 2:4 |  0.5 |" in capsys.readouterr().out


@pytest.fixture
def command(tmp_path):
    """Carry a made-up experiment out; its runs are counted."""
    ran = []

    def main(*arguments, fails=None):
        def run(options, kept, console):
            ran.append(kept)
            if fails:
                raise fails
            return {"size": options.size, "runs": []}

        def write_page(found, page, pictures):
            page.write_text(str(pictures))
            return [page]

        out = ["--out", str(tmp_path / "x.json")]
        carry_out(
            parser("x", "Try.", ("smoke", "full"), "x.json").parse_args([*out, *arguments]),
            read=lambda path: load(path, ("runs",), "make x"),
            run=run,
            tables=lambda found: [Table("sizes", ("size",), 1, [(found["size"],)])],
            write_page=write_page,
        )

    main.ran, main.folder = ran, tmp_path
    return main


def test_the_command_runs_saves_and_lays_out(command, capsys):
    command("--size", "smoke")
    assert command.ran == [command.folder / "x.jsonl"]
    assert "| smoke |" in capsys.readouterr().out
    assert (command.folder / "x.md").read_text() == "None"
    command(
        "--read",
        str(command.folder / "x.json"),
        "--pictures",
        "there",
        "--page",
        str(command.folder / "p.md"),
    )
    assert len(command.ran) == 1
    assert (command.folder / "p.md").read_text() == "there"


def test_an_error_is_one_sentence_and_an_interruption_says_how_to_go_on(command):
    with pytest.raises(SystemExit, match=r"^error: no good$"):
        command(fails=InvalidInput("no good"))
    with pytest.raises(SystemExit, match="the same command goes on"):
        command(fails=KeyboardInterrupt())
    with pytest.raises(SystemExit, match=r"^error: cannot read nowhere\.json"):
        command("--read", "nowhere.json")
    assert not (command.folder / "x.json").exists()


@pytest.mark.parametrize("what", ["--seeds", "--processes"])
def test_none_at_all_is_refused(command, what, capsys):
    with pytest.raises(SystemExit):
        command(what, "0")
    assert "expected a number from 1 up, got 0" in capsys.readouterr().err


# The pages in the docs.


@pytest.mark.parametrize("name", ["adaprune", "dst", "filters"])
def test_a_page_in_the_docs_says_what_its_figures_say(name, tmp_path):
    pytest.importorskip("matplotlib")
    records = import_module(f"masksolve.bench.{name}.records")
    page = import_module(f"masksolve.bench.{name}.page")
    found = records.load(DOCS / "benchmarks" / f"{name}.json")
    page.write_page(found, tmp_path / "page.md", tmp_path / "benchmarks")
    expected = (DOCS / f"{name}-results.md").read_text(encoding="utf-8")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == expected
