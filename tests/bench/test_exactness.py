"""The comparison with HiGHS and with float64: small, and with a solver that is not exact."""

import functools

import pytest

import masksolve as ms
from masksolve.bench import exactness


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["exactness", *arguments])
    exactness.main()


def test_nothing_is_lost(monkeypatch, capsys):
    run(monkeypatch, "--tiles", "60", "--many", "4")
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    stages = [row for row in rows if row[1].strip() in exactness.PATTERNS]
    rows = [row for row in rows if row[1].strip() in ("HiGHS", "float64")]
    assert len(stages) == len(exactness.PATTERNS)
    for row in stages:
        assert sum(float(cell.strip(" %")) for cell in row[3:7]) == pytest.approx(100, abs=0.01)
    assert len(rows) == len(exactness.WIDTHS) + len(exactness.PATTERNS)
    assert [row[2].strip() for row in rows[:6]] == ["10"] * 6
    assert all(float(row[4]) <= 1e-9 for row in rows)


@pytest.mark.parametrize(
    "options", [("--tiles", "60", "--many", "0"), ("--tiles", "0", "--many", "4")]
)
def test_a_solver_that_is_not_exact_is_found(monkeypatch, capsys, options):
    monkeypatch.setattr(ms, "solve", functools.partial(ms.solve, method="greedy"))
    with pytest.raises(SystemExit, match="error: some tile is not optimal"):
        run(monkeypatch, *options)
