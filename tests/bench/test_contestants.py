"""Contestants: ours, the rivals, and users' files."""

from pathlib import Path

import pytest

import masksolve as ms
from masksolve.bench.contestants import contestants
from masksolve.bench.registry import contestant

SOLVERS = Path(__file__).with_name("solvers.py")


def test_all_our_methods_take_part_before_the_others():
    names = list(contestants())
    assert names[: len(ms.METHODS)] == list(ms.METHODS)
    assert all(contestants()[name].ours == (name in ms.METHODS) for name in names)


def test_files_add_theirs_and_only_where_they_are_asked_for():
    assert "prints" not in contestants()
    with_file = contestants([SOLVERS])
    assert list(with_file)[: len(contestants())] == list(contestants())
    assert not with_file["prints"].ours
    assert "prints" in contestants([SOLVERS])  # read once, known again
    assert "prints" not in contestants()


def test_missing_modules_are_named():
    assert contestants([SOLVERS])["absent"].missing() == ["no_such_module"]
    assert contestants()["exact"].missing() == []


def test_patterns_that_do_not_fit():
    found = contestants()["enumerate"]
    assert found.fits(2, 4)
    assert not found.fits(4, 8)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "is no Python file: expected one with a @contestant"),
        ("x = 1\n", "defines no solver: expected a @contestant function"),
        ("1 / 0\n", "does not run: ZeroDivisionError: division by zero"),
        ("def f(:\n", "does not run: SyntaxError"),
        ("raise SystemExit(3)\n", "does not run: SystemExit: 3"),
    ],
)
def test_files_that_are_none_get_one_sentence(tmp_path, text, complaint):
    file = tmp_path / "solver.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ms.InvalidInput, match=complaint):
        contestants([file])


@pytest.mark.parametrize(
    ("name", "takes", "complaint"),
    [
        ("exact", "tiles", "there is a contestant 'exact' already"),
        ("of rows", "rows", "takes='rows': expected 'tiles' or 'matrix'"),
    ],
)
def test_names_are_taken_once_and_takes_is_one_of_two(name, takes, complaint):
    with pytest.raises(ValueError, match=complaint):
        contestant(name=name, reference="a test", takes=takes)


@pytest.mark.parametrize("needs", ["no_such_module.part", ("no_such_module.part",)])
def test_one_module_needs_no_list_and_may_be_part_of_another(tmp_path, needs):
    file = tmp_path / "solver.py"
    file.write_text(
        "from masksolve.bench import contestant\n"
        f"@contestant(name='{len(needs)} needs', reference='a test', needs={needs!r})\n"
        "def f(scores, n): ...\n"
    )
    assert contestants([file])[f"{len(needs)} needs"].missing() == ["no_such_module.part"]
