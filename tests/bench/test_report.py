"""The report says what the results say, all of it, and nothing else."""

import copy
import re
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from masksolve.bench.pages.words import bytes_, duration, listing, percent, plain
from masksolve.bench.published import PUBLISHED
from masksolve.bench.report import write_report
from masksolve.bench.report.facts import Facts
from masksolve.bench.report.labels import _spread
from masksolve.bench.report.lanes import Lanes
from masksolve.bench.report.pareto import front

from .synthetic import CASES, PATTERNS, PLAYERS, empty, only, results

USER = "my | own *solver*"
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


@pytest.fixture(scope="module")
def whole():
    return results()


@pytest.fixture(scope="module")
def paths(whole, tmp_path_factory):
    return write_report(whole, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(paths):
    return paths[0].read_text()


@pytest.fixture
def words(monkeypatch, tmp_path):
    """Write a report without saving its pictures; returns the page."""
    monkeypatch.setattr("masksolve.bench.pages.page.save", lambda *picture: None)
    return lambda some: write_report(some, tmp_path)[0].read_text()


def section(page, heading):
    """Cut out what stands beneath a heading."""
    level = heading.split()[0]
    rest = page.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.MULTILINE)[0]


def tables(text):
    """Read every table: a list of rows by column, unescaped."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            rows.append([re.sub(r"\\(.)", r"\1", cell.strip()) for cell in cells])
        elif rows:
            head, _, *body = rows
            found.append([dict(zip(head, row, strict=True)) for row in body])
            rows = []
    return found


def name_of(row):
    return row["contestant"].removeprefix("**").removesuffix("**")


def seconds(cell):
    value, unit = cell.split(" (")[0].split()
    return float(value.replace(",", "")) * UNITS[unit]


def test_everybody_and_everything_appears(page):
    for player in PLAYERS:
        assert plain(player.name) in page
    for word in (*CASES, *PATTERNS):
        assert plain(word) in page


def test_a_users_solver_is_in_every_table_of_contestants(page):
    for heading in ("## At a glance", "## Time and memory", "## Quality"):
        for table in tables(section(page, heading)):
            assert [name_of(row) for row in table].count(USER) == 1


def test_times_trace_back(whole, page):
    table = tables(section(page, "### By pattern"))[0]
    assert len(table) == len(PLAYERS)
    for record in whole["timings"]:
        if record["section"] == "pattern":
            row = next(row for row in table if name_of(row) == record["contestant"])
            cell = row[record["pattern"]]
            if record["median"] is None:
                assert not re.search(r"\d", cell)
            else:
                assert seconds(cell) == pytest.approx(record["median"] / record["tiles"], rel=5e-3)


def test_times_of_matrices_trace_back(whole, page):
    found = dict(
        zip(("2:4", "4:8", "8:16", "16:32"), tables(section(page, "### By size")), strict=True)
    )
    for record in whole["timings"]:
        if record["section"] == "size" and record["median"] is not None:
            row = next(
                row for row in found[record["pattern"]] if name_of(row) == record["contestant"]
            )
            cell = row[f"{record['rows']} x {record['columns']}"]
            assert seconds(cell) == pytest.approx(record["median"], rel=5e-3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_losses_trace_back(whole, page, pattern):
    (table,) = tables(section(page, f"#### {pattern}"))
    for record in whole["quality"]:
        if record["pattern"] == pattern:
            row = next(row for row in table if name_of(row) == record["contestant"])
            cell = row[record["case"]]
            if record["loss_mean"] is None:
                assert not re.search(r"\d", cell)
            else:
                mean, worst = map(float, cell.split(" / "))
                assert mean == pytest.approx(100 * record["loss_mean"], rel=5e-3, abs=1e-4)
                assert worst == pytest.approx(100 * record["loss_worst"], rel=5e-3, abs=1e-4)


def test_no_cell_of_a_measurement_is_blank(page):
    for heading in ("## At a glance", "## Time and memory", "## Quality"):
        for table in tables(section(page, heading)):
            assert all(all(row.values()) for row in table)


def test_what_did_not_run_is_named_with_its_reason(page):
    assert "- SciPy HiGHS: not installed (needs highspy, which is not installed)." in page
    assert "- PuLP + CBC: cut off in 2048 x 2048 (passed 60 s)." in page
    assert "- torch entropic: failed in 32:64 (RuntimeError: out of \\| memory)." in page
    assert f"- {plain(USER)}: invalid in 2:8 (a row holds 3 of at most 2)." in page
    assert "**enumerate**: does not fit in 2:8, 4:8" in page


def test_who_has_no_records_at_all_is_named(whole, words):
    some = copy.deepcopy(only(whole, pattern="4:8"))
    some["timings"] = [r for r in some["timings"] if r["contestant"] != "greedy"]
    text = words(some)
    assert "Not run here: **greedy**." in section(text, "### By pattern")


def test_sentences_follow_who_is_fastest(whole, page, words):
    assert "- 4:8: **exact** is the fastest" in page
    other = copy.deepcopy(only(whole, pattern="4:8"))
    for record in other["timings"]:
        if record["contestant"] == "torch entropic" and record["median"]:
            record["median"] *= 1e-7
    text = words(other)
    assert "- 4:8: torch entropic is the fastest" in text
    assert "torch entropic is faster in" in section(text, "### Where we lose")
    assert "torch entropic is faster in" not in page


def test_where_we_lose_is_counted(whole, page):
    lost = section(page, "### Where we lose")
    assert "**bi_nm** is faster in" in lost
    assert "**bi_nm** is smaller in memory in" in lost
    assert "**greedy** keeps more than the best mask of exactly n in 11 judged cases" in lost
    best = {
        (r["section"], r["pattern"], r["cores"], r["rows"]): r["median"]
        for r in whole["timings"]
        if r["contestant"] == "exact"
    }
    faster = [
        r
        for r in whole["timings"]
        if r["contestant"] == "bi_nm"
        and r["median"] < best[r["section"], r["pattern"], r["cores"], r["rows"]]
    ]
    assert f"**bi_nm** is faster in {len(faster)} of its" in lost
    assert "Its mean loss in 32:64 is" in lost


def test_nothing_lost_is_said_too(whole, words):
    text = words(only(whole, contestant="exact"))
    lost = section(text, "### Where we lose")
    assert "Nothing is faster than `exact`" in lost
    assert "Nothing is smaller in memory than `exact`" in lost
    assert "Nothing keeps more than `exact`" in lost


def test_an_exact_that_loses_is_told(whole, words):
    other = copy.deepcopy(only(whole, pattern="4:8"))
    for record in other["quality"]:
        if (record["contestant"], record["case"]) == ("exact", "zeros"):
            record["loss_mean"] = 0.01
    text = words(other)
    assert "`exact` itself loses" in section(text, "### Where we lose")


def test_disagreement_is_told(page):
    text = section(page, "## Agreement of the exact methods")
    (table,) = tables(text)
    row = next(row for row in table if name_of(row) == "PuLP + CBC")
    assert row["4:8"] == "10,997 of 11,000 (0.0002)"
    assert row["2:4"] == "11,000 of 11,000 (1e-12)"
    assert "PuLP + CBC misses the optimum of 3 tiles in 4:8 on int8 grid." in text


def test_broken_masks_are_told(whole, words):
    other = copy.deepcopy(only(whole, pattern="4:8"))
    other["quality"][0]["columns_valid"] = False
    text = words(other)
    record = other["quality"][0]
    assert f"broken: columns in {record['pattern']} on {record['case']}" in text


def test_broken_masks_win_nothing(whole, words):
    other = copy.deepcopy(only(whole, pattern="4:8"))
    mine = [r for r in other["quality"] if r["contestant"] == USER]
    for record in mine:
        record.update(status="invalid", columns_valid=False, loss_mean=-0.5, short_lines=0.0)
    for record in other["timings"]:
        if record["contestant"] == USER and record["median"]:
            record["median"] = 1e-12
    text = words(other)
    user = plain(USER)
    assert f"{user} is faster" in text
    assert "Its masks in 4:8: invalid." in text
    assert f"{user} keeps more" not in text
    assert user not in re.search(r"4:8: on the front.*?\.", text).group(0)
    assert user not in re.search(r"Every line of every mask.*", text).group(0)
    row = next(r for r in tables(section(text, "### Others"))[0] if r["name"] == USER)
    assert row["status"] == "ran; elsewhere invalid"


def test_printed_times_stand_beside_ours(page):
    text = section(page, "### By size")
    assert "As printed by Meng et al. 2025, on their machines, in 8:16" in text
    assert "TSENOR (NVIDIA H100) 0.08 s on 512 x 512 and 0.12 s on 8192 x 8192." in text


def test_overheads_stand_beside_those_of_the_papers(whole, page):
    text = section(page, "## Overhead in training")
    (table,) = tables(text)
    for record in whole["training"]:
        if record["overhead"] is not None:
            row = next(row for row in table if name_of(row) == record["contestant"])
            cell = row[f"every {record['every']}"]
            share = float(re.search(r"\(\+?(-?[\d.,]+)", cell)[1].replace(",", ""))
            assert share == pytest.approx(100 * record["overhead"], rel=5e-3, abs=1e-4)
            assert seconds(cell) == pytest.approx(record["median"], rel=5e-3)
    assert "As printed by Hubara et al. 2021, on their machine" in text
    for value in ("180 %", "70 %", "14 %"):
        assert value in text


def test_published_figures_are_all_there(page):
    (table,) = tables(section(page, "## Figures that papers print"))
    assert len(table) == len(PUBLISHED)
    for row, record in zip(table, PUBLISHED, strict=True):
        assert row["value"] == f"{record.value:g} {record.unit}"


PARTS = {
    "nothing": empty(),
    "one pattern": only(results(), pattern="1:4"),
    "one rival": only(results(), contestant="torch entropic"),
    "nobody ran": only(results(), contestant="SciPy HiGHS"),
    "cores": only(results(), section="cores", pattern="8:16"),
    "nothing fits": only(results(), status="does not fit"),
    "no times": {**results(), "timings": []},
    "no quality": {**results(), "quality": []},
    "no lists": {**results(), "contestants": [], "cases": []},
}


@pytest.mark.parametrize("some", PARTS.values(), ids=PARTS)
def test_parts_are_enough(some, tmp_path):
    written = write_report(some, tmp_path / "report", published=())
    text = written[0].read_text()
    assert not re.search(r"\b(None|nan|inf)\b(?! are|\.\n|\])", text)
    assert [path.name for path in written[1:]] == re.findall(r"\]\((.+\.png)\)", text)


def test_values_may_be_missing_anywhere(whole, words):
    other = copy.deepcopy(only(whole, pattern="4:8"))
    for key in ("timings", "quality", "agreement", "training"):
        for record in other[key]:
            for field, value in record.items():
                if field not in ("every",) and (value is None or isinstance(value, float | bool)):
                    record[field] = None
            if "loss_quantiles" in record:
                record["loss_quantiles"] = None
    assert "not measured" in words(other)


def test_same_results_same_files(whole, paths, tmp_path):
    again = write_report(whole, tmp_path)
    assert [p.name for p in again] == [p.name for p in paths]
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in paths]


def test_pictures_are_small_and_wide_enough(paths):
    names = {path.stem for path in paths[1:]}
    assert names == {"pareto", "patterns", "sizes", "cores", "memory", "losses", "overhead-8-16"}
    for path in paths[1:]:
        assert path.stat().st_size < 150_000
        with Image.open(path) as picture:
            assert picture.width >= 900


def test_names_of_any_letters_can_be_drawn(whole, tmp_path):
    text = str(only(whole, contestant=USER)).replace(USER, "$x^ 求解 {0}\\n_a_ <b>")
    named = eval(text)
    page = write_report(only(named, pattern="4:8"), tmp_path)[0].read_text()
    assert r"\$x^ 求解 \{0\} \_a\_ \<b\>" in page


def test_the_page_builds_without_a_warning(paths):
    pytest.importorskip("myst_parser")
    application = pytest.importorskip("sphinx.application")
    folder = paths[0].parent
    (folder / "conf.py").write_text(
        "extensions = ['myst_parser']\n"
        "myst_enable_extensions = ['amsmath', 'colon_fence', 'deflist', 'dollarmath']\n"
    )
    out = folder / "_build"
    app = application.Sphinx(
        str(folder),
        str(folder),
        str(out),
        str(out),
        "html",
        status=None,
        warningiserror=True,
        exception_on_warning=True,
    )
    app.build()
    html = (out / "index.html").read_text()
    assert html.count("<img") == len(paths) - 1
    assert USER in html


def test_the_solver_of_the_page_is_a_contestant(page, tmp_path):
    from masksolve.bench.contestants import contestants
    from masksolve.bench.registry import JOINED

    file = tmp_path / "my_solver.py"
    file.write_text(re.search(r"```python\n(.+?)```", page, re.DOTALL)[1])
    try:
        assert "my solver" in contestants([file])
    finally:
        JOINED.pop("my solver", None)


def test_the_commands_of_the_page_are_commands(page, capsys):
    from masksolve.cli.main import main

    commands = re.search(r"```sh\n(.+?)```", page, re.DOTALL)[1].splitlines()
    assert len(commands) == 4
    for command in commands:
        words = command.split("#")[0].split()[1:]
        subcommand = [word for word in words[:2] if word.isalpha()]
        with pytest.raises(SystemExit):
            main([*subcommand, "--help"])
        told = capsys.readouterr().out
        assert all(word in told for word in words if word.startswith("--"))


def test_front_holds_what_nothing_beats():
    points = [("slow", 3.0, 0.0), ("fast", 1.0, 0.1), ("worse", 2.0, 0.2), ("tie", 3.0, 0.0)]
    assert [name for name, _, _ in front(points)] == ["fast", "slow"]


def test_lanes_tell_none_from_little_and_from_less():
    lanes = Lanes([0.0, -0.1, 0.02, 0.3])
    assert lanes.low < lanes(-0.1) < lanes(0.0) < lanes.bottom <= lanes(0.02) < lanes(0.3)
    assert lanes(0.3) < lanes.high


@pytest.mark.parametrize("wanted", [[0, 0, 0], [5, 50, 51, 99], [98, 99, 100], [0, 30, 60]])
def test_labels_keep_their_distance(wanted):
    heights = _spread(wanted, 10, 0, 100)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(heights))
    assert min(heights) >= 0
    assert max(heights) <= 100


def test_words():
    assert [duration(s) for s in (2.5e-10, 1.234e-6, 9.999e-4, 59.94, 1234.5)] == [
        "0.25 ns",
        "1.23 us",
        "1 ms",
        "59.9 s",
        "1,230 s",
    ]
    assert [bytes_(b) for b in (0, 1023, 3 * 2**20)] == ["0 B", "1,020 B", "3 MiB"]
    assert [percent(x) for x in (0, 1e-7, 1e-5, 0.0123, -0.5)] == ["0", "0", "0.001", "1.23", "-50"]
    assert listing("abcd", most=2) == "a, b and 2 more"
    assert listing(["a, b", "c", "d"]) == "a, b; c and d"
    assert listing("") == ""
    assert plain("min_cost_flow a|b *c* _d_\n<e>") == r"min_cost_flow a\|b \*c\* \_d\_ \<e\>"


def test_facts_put_ours_first(whole):
    names = Facts(whole).names
    ours = [player.ours for name in names for player in PLAYERS if player.name == name]
    assert names[0] == "exact"
    assert ours == sorted(ours, reverse=True)


def test_the_folder_is_made(tmp_path):
    assert (write_report(empty(), tmp_path / "a" / "b")[0]) == Path(tmp_path / "a/b/index.md")
