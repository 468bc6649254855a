"""What the tests of several experiments do with them."""

from importlib import import_module
from pathlib import Path

import pytest

from masksolve.bench.experiments.command import main
from masksolve.bench.pages.page import Page

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def module(name):
    return import_module(f"masksolve.bench.experiments.{name}.experiment")


def load(name, path):
    """Return an experiment's findings in a file."""
    return module(name).EXPERIMENT.load(path)


def made_up(runs, **others):
    """Make findings up, of so many runs."""
    machine = {"cpu": "a *CPU*", "cores": 2, "python_version": "3.11.0", "commit": "b"}
    return {"machine": machine, "versions": {"torch": "2.0"}, "runs": runs, **others}


def smoke(name, path, *options):
    """Run an experiment in small."""
    assert main([name, "--size", "smoke", "--processes", "1", "--out", str(path), *options]) == 0
    return path


def filled(name, found, path=Path("page.md"), pictures=Path("pictures"), **files):
    """Return the page of findings."""
    experiment, page = module(name).EXPERIMENT, Page(path, path.parent / pictures)
    experiment.fill(page, experiment.reader(found), **files)
    return page


def check_the_whole(name, path, pictures, work, monkeypatch):
    """Check that what is finished is not done again, and reads as it was; return the page."""
    text = path.with_suffix(".md").read_text()
    for picture in pictures:
        assert f"]({name}-{picture}.png)" in text
        assert path.with_name(f"{name}-{picture}.png").stat().st_size > 5_000
    before, again = path.read_bytes(), path.with_name("again.md")
    assert main([name, "--read", str(path), "--page", str(again)]) == 0
    assert path.read_bytes() == before
    assert again.read_text() == text

    def never(*arguments):
        raise AssertionError("what was finished is done again")

    for function in work:
        monkeypatch.setattr(module(name), function, never)
    smoke(name, path)
    return text


def check_it_goes_on(name, path, out, function, monkeypatch, without=(), call=None):
    """Take a run away and cut one off; return the jobs done again, with the same outcome."""
    *lines, last, _ = path.with_suffix(".jsonl").read_text().splitlines()
    out.with_suffix(".jsonl").write_text("\n".join([lines[0], *lines[2:], last[:40]]))
    done, original = [], getattr(module(name), function)

    def spy(*job):
        done.append(job)
        return original(*(call(*job) if call else job))

    monkeypatch.setattr(module(name), function, spy)
    smoke(name, out)
    told = [
        [{k: v for k, v in run.items() if k not in without} for run in load(name, file)["runs"]]
        for file in (path, out)
    ]
    assert told[0] == told[1]
    return done


def check_other_settings_are_refused(name, path):
    with pytest.raises(SystemExit, match=r"error: .*holds runs of other settings"):
        main([name, "--size", "full", "--out", str(path)])
