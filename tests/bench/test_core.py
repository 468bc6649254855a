"""The engine against a pass over memory: no table without the machine."""

import pytest

from masksolve.bench import core
from masksolve.bench.pages.findings import cores_of


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(core, "SIDE", 64)
    monkeypatch.setattr(core, "TARGETS", {"2:4": (6, 2)})
    monkeypatch.setattr(core, "NEIGHBOURS", {"2:4,plain": "2:4", "5:7": "2:4"})


@pytest.mark.parametrize(
    ("table", "rows"), [(core.speed, 3), (core.neighbours, 2), (core.warm, 2), (core.verdicts, 1)]
)
def test_every_table_names_the_machine(table, rows, capsys):
    found = table()
    title = capsys.readouterr().out.splitlines()[0]
    assert title.endswith(f"on {cores_of(core.MACHINE)}")
    assert len(found) == rows


def test_a_neighbour_is_timed_in_turn_and_by_the_entry():
    plain, ragged = core.neighbours()
    assert plain["times_neighbour"] == plain["ms"] / plain["others_ms"][0]
    ratio = ragged["ms"] / ragged["others_ms"][0] * (64 / 63) ** 2
    assert ragged["times_neighbour"] == pytest.approx(ratio)
