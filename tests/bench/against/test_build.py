"""Builds of folders and of commits, and what is neither."""

import shutil
from contextlib import ExitStack

import pytest

from masksolve.bench.against.build import Build, build_of, line_of
from masksolve.errors import InvalidInput

from ..processes import ROOT


@pytest.fixture
def folder(tmp_path):
    """Make a folder with a masksolve that is none, and say where."""
    package = tmp_path / "old" / "masksolve"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("ANSWER = 42\n")
    return package.parent


@pytest.fixture
def asking(tmp_path):
    """Write a program that says which masksolve it has."""
    file = tmp_path / "asking.py"
    file.write_text("import masksolve as ms\nprint(ms.__file__)\nprint(getattr(ms, 'ANSWER', 0))\n")
    return file


@pytest.mark.parametrize("relative", [False, True])
def test_a_folder_is_a_build(folder, asking, monkeypatch, relative):
    monkeypatch.chdir(folder.parent)
    with build_of(folder.name if relative else str(folder)) as build:
        process = build.start(asking)
        build.check(process)
        assert line_of(process.stdout) == "42\n"
    assert build.name == f"folder {folder.name if relative else folder}"


def test_what_lies_beside_it_is_not_taken(folder, asking):
    (folder / "numpy.py").write_text("raise RuntimeError\n")
    asking.write_text("import numpy\nprint(numpy.__name__)\n")
    with build_of(str(folder)) as build:
        assert build.start(asking).communicate()[0] == "numpy\n"


def test_none_is_this_one(asking):
    with build_of(None) as build:
        process = build.start(asking)
        build.check(process)
        assert line_of(process.stdout) == "0\n"


def test_another_masksolve_is_noticed(tmp_path, asking):
    said = r"a process of empty has got .*__init__\.py instead"
    with ExitStack() as until:
        build = Build("empty", tmp_path, until)
        process = build.start(asking)
        with pytest.raises(InvalidInput, match=said):
            build.check(process)


@pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no checkout"
)
def test_a_commit_is_a_build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with build_of("HEAD") as build:
        pass
    (kept,) = tmp_path.glob("bench-output/builds/*")
    assert build.name == f"commit {kept.name}"
    assert (kept / "masksolve" / "__init__.py").is_file()
    (kept / "mark").touch()
    with build_of("HEAD") as again:  # it is unpacked once
        pass
    assert again.name == build.name
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert (kept / "mark").exists()


@pytest.mark.parametrize("base", ["no-such-thing", "docs", "HEAD:masksolve"])
def test_what_is_neither_is_refused(base, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InvalidInput) as refused, build_of(base):
        pass
    assert f"{base!r} is neither a folder nor a commit that holds masksolve/" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_process_that_ends_is_noticed(tmp_path):
    file = tmp_path / "ends.py"
    file.write_text("")
    said = "the other process ended before it answered"
    with ExitStack() as until, pytest.raises(InvalidInput, match=said):
        line_of(Build("short", tmp_path, until).start(file).stdout)
