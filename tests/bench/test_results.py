"""Result files: written whole, read back, refused if they are none."""

import json

import pytest

import masksolve as ms
from masksolve.bench.compare import compare, differences
from masksolve.bench.results import (
    FORMAT,
    Quality,
    Timing,
    Training,
    blank,
    load_results,
    save_results,
)

from .synthetic import empty

TIMED = {"seconds": [1.0], "loops": 1, "median": 1.0, "spread": 0.1, "pattern": "4:8"}
PLACE = {"section": "size", "case": "normal", "rows": 64, "columns": 64, "tiles": 64, "cores": 2}
TIMING = blank(Timing, contestant="exact", peak_bytes=12345678901, **TIMED, **PLACE)
TIMING["seconds"] = [1.23456789e-5, 2.0]
TRAINING = blank(Training, contestant="exact", every=10, overhead=0.5, **TIMED)
JUDGED = {"case": "normal", "pattern": "4:8", "tiles": 64, "loss_mean": 0.01}
QUALITY = blank(Quality, contestant="greedy", **JUDGED)
RESULTS = empty() | {"timings": [TIMING], "quality": [QUALITY], "training": [TRAINING]}
RESULTS["machine"] = {"cpu": "abacus"}


def changed(key, **fields):
    return RESULTS | {key: [RESULTS[key][0] | fields]}


def test_round_trip_keeps_six_digits(tmp_path):
    path = tmp_path / "results.json"
    save_results(RESULTS, path)
    expected = changed("timings", seconds=[1.23457e-5, 2.0])
    assert load_results(path) == expected
    assert json.loads(path.read_text()) == expected


def test_records_have_a_line_each(tmp_path):
    path = tmp_path / "results.json"
    save_results(RESULTS | {"quality": [QUALITY] * 5}, path)
    lines = path.read_text().splitlines()
    assert sum(line.startswith('{"contestant": "greedy"') for line in lines) == 5


def test_what_is_no_number_is_not_written(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_results(changed("timings", median=float("nan")), path)
    assert not path.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', json.dumps({"format": FORMAT}), "\udcff"]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ms.FileFormatError, match="is no result file: expected"):
        load_results(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timings", "none"),
        ("timings", [{k: v for k, v in TIMING.items() if k != "median"}]),
        ("quality", [None]),
        ("machine", []),
    ],
)
def test_damaged_files_are_refused(tmp_path, key, value):
    path = tmp_path / "results.json"
    save_results(RESULTS | {key: value}, path)
    with pytest.raises(ms.FileFormatError, match=f"is damaged: its {key} are not"):
        load_results(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ms.FileFormatError, match=r"cannot read .*none\.json: No such file"):
        load_results(tmp_path / "none.json")


def test_comparing_with_itself_shows_no_change():
    changes = compare(RESULTS, RESULTS)
    assert [c.section for c in changes] == ["timings", "training", "quality"]
    assert not any(c.clear or c.before != c.after for c in changes)


@pytest.mark.parametrize(
    ("key", "fields", "clear"),
    [
        ("timings", {"median": 1.15}, False),  # within 0.1 + 0.1
        ("timings", {"median": 1.3}, True),
        ("training", {"median": 0.7}, True),
        ("quality", {"loss_mean": 0.01005}, False),
        ("quality", {"loss_mean": 0.02}, True),
    ],
)
def test_changes_count_beyond_the_noise(key, fields, clear):
    found = [c for c in compare(RESULTS, changed(key, **fields)) if c.section == key]
    assert [c.clear for c in found] == [clear]
    assert found[0].after == next(iter(fields.values()))


def test_figures_that_only_one_file_holds_are_left_out():
    assert len(compare(RESULTS, changed("timings", rows=128))) == 2
    assert len(compare(changed("quality", loss_mean=None), RESULTS)) == 2


def test_changes_say_what_they_are_of():
    assert [c.what for c in compare(RESULTS, RESULTS)] == [
        "size, exact, 4:8, rows 64, columns 64, cores 2",
        "exact, 4:8, every 10",
        "greedy, normal, 4:8, tiles 64",
    ]


def test_what_is_hard_to_compare_is_said():
    assert differences(RESULTS, RESULTS) == []
    other = RESULTS | {"machine": {"cpu": "slide rule"}, "settings": {"size": "full"}}
    assert differences(RESULTS, other) == [
        "cpu: abacus before, slide rule after",
        "size: None before, full after",
    ]
    worse = changed("timings", status="cut off", reason="no answer within 5 s", median=None)
    assert differences(RESULTS, worse) == [
        "size, exact, 4:8, rows 64, columns 64, cores 2: cut off now, no answer within 5 s"
    ]
    assert differences(worse, RESULTS) == []
