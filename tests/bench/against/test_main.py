"""The command: a race, a comparison, and what it refuses."""

import json

import pytest

from masksolve.bench.against import __main__ as against

OLD = """
ANSWERS = {"one": "a", "two": "b"}

def solve(*arguments, **options):
    raise NotImplementedError("not yet")
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return what runs the command in a folder where an old build lies."""
    package = tmp_path / "old" / "masksolve"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(OLD)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["against", *arguments])
        against.main()

    return run


def test_a_race_against_a_folder(command, tmp_path, capsys):
    command("old", "--only", "tile", "--rounds", "2", "--out", "there/found.json")
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "there" / "found.json").read_text())
    assert f"on {found['machine']['cores']} cores of " in said
    assert f"here: {found['here']}\nbase: folder old\n" in said
    assert "no times of base: NotImplementedError: not yet" in said
    (run,) = found["runs"]
    assert (run["group"], run["pattern"], run["side"]) == ("tile", "8:16", 16)
    assert len(run["seconds"]["here"]) == 2
    assert run["reasons"] == {"base": "NotImplementedError: not yet"}


ONE = ["masks", "rest", 2.0]


@pytest.mark.parametrize(
    ("other", "said", "code"),
    [
        (ONE, "2 of 2 problems: the same bytes\n", None),
        (
            ["masks", "more", 2.0],
            "1 of 2 problems: the same bytes\n"
            "1 of 2 problems: the same masks, by other potentials or stages\n",
            None,
        ),
        (
            ["ties", "more", 2.0 + 2**-46],
            "other masks that keep as much: two, kept scores 1.42e-14 of 2 apart\n"
            "1 of 2 problems: the same bytes\n1 of 2 problems: other masks that keep as much\n",
            None,
        ),
        (
            ["worse", "rest", 1.5],
            "other masks: two, kept scores 0.5 of 2 apart\n"
            "1 of 2 problems: the same bytes\n1 of 2 problems: other masks\n",
            1,
        ),
        (
            None,
            "other masks: two, which the other build does not solve\n"
            "1 of 2 problems: the same bytes\n1 of 2 problems: other masks\n",
            1,
        ),
    ],
)
def test_a_comparison_with_a_folder(command, tmp_path, monkeypatch, capsys, other, said, code):
    theirs = {"one": ONE} if other is None else {"one": ONE, "two": other}
    problems = tmp_path / "problems.py"
    problems.write_text(
        "import json\nimport masksolve as ms\n"
        f"old = hasattr(ms, 'ANSWERS')\nmine = { {'one': ONE, 'two': ONE}!r}\n"
        f"print(json.dumps({theirs!r} if old else mine))\n"
    )
    monkeypatch.setattr(against, "PROBLEMS", problems)
    if code is None:
        command("old")
    else:
        with pytest.raises(SystemExit) as end:
            command("old")
        assert end.value.code == code
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new",), "error: 'new' is neither a folder nor a commit"),
        (("old", "--only", "nothing"), "invalid choice: 'nothing'"),
        (("old", "--speed", "--calls"), "not allowed with"),
        (("old", "--speed", "--rounds", "1"), "--rounds must be at least 2"),
    ],
)
def test_one_sentence_for_what_is_refused(command, capsys, arguments, said):
    with pytest.raises(SystemExit) as end:
        command(*arguments)
    assert said in f"{end.value.code}{capsys.readouterr().err}"
