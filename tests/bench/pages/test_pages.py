"""What all pages are made of: tables, files of findings, and the page itself."""

import json

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from masksolve.bench.pages.findings import cores_of, load, save, significant, where
from masksolve.bench.pages.page import Page
from masksolve.bench.pages.table import Table, show
from masksolve.errors import FileFormatError

# Findings.


def test_findings_come_back_as_they_were_saved(tmp_path):
    path = tmp_path / "new" / "f.json"
    for runs in ([], [{"loss": [1.5, 0.25]}, {"loss": []}]):
        found = {"size": "smoke", "runs": runs}
        save(found, path)
        assert load(path, found, "make it") == found == json.loads(path.read_text())


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({}, "2 cores of an unknown processor"),
        ({"cpu": "Abacus"}, "2 cores of Abacus"),
        ({"cpu": "Abacus", "microarchitecture": "beads"}, "2 cores of Abacus (beads)"),
    ],
)
def test_a_machine_is_named_by_what_is_known_of_it(known, name):
    assert cores_of({"cores": 2, **known}) == name


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


def test_figures_are_rounded():
    assert [significant(x, 3) for x in (1.23456, 123456.0, 0.0)] == [1.23, 123000.0, 0.0]


# Tables and pages.


@pytest.mark.parametrize("head", ["arm | loss", ("arm", "loss")])
def test_tables_for_pages_and_terminals(capsys, head):
    table = Table("a title", head, rows=[("`2:4`", "**0.5**")])
    table.add("4:8", "0.25")
    said = "| arm | loss |\n| --- | ---: |\n| `2:4` | **0.5** |\n| 4:8 | 0.25 |"
    assert table.markdown() == said
    show([table], Console(width=40))
    told = capsys.readouterr().out
    assert told.startswith("a title\n")
    assert "| 2:4 |  0.5 |" in told


def test_a_page_and_its_pictures(tmp_path):
    page = Page(tmp_path / "page.md", tmp_path / "new" / "pictures")
    page.heading(2, "All")
    page.say("One.", "", "Two.")
    page.say("")
    page.bullets(iter(["a", "b"]))
    page.bullets([])
    page.code("sh", "\nls\n")
    page.picture("it", "It", Figure(figsize=(1, 1)))
    page.picture("nothing", "Nothing at all", None)
    page.table(Table("", "a", rows=[("b",)]))
    assert page.write() == [tmp_path / "page.md", tmp_path / "new" / "pictures" / "it.png"]
    assert (tmp_path / "page.md").read_text().split("\n\n") == [
        "## All",
        "One. Two.",
        "- a\n- b",
        "```sh\nls\n```",
        "![It](new/pictures/it.png)",
        "No picture: nothing was measured for nothing at all.",
        "| a |\n| --- |\n| b |\n",
    ]
    assert all(path.stat().st_size for path in page.write())
