"""Races: who is how many times as fast, and what of that is shown."""

import io

import pytest
from rich.console import Console

from masksolve.bench.against.groups import Call, Group
from masksolve.bench.against.race import race


class Answering:
    """Answers from a table by pattern: seconds, a list of them in turn, or a reason."""

    def __init__(self, log=(), **answers):
        self._answers, self._asked, self._log = answers, [], log

    def ask(self, call):
        self._asked.append(call.pattern)

    def answer(self):
        pattern = self._asked.pop(0)
        if isinstance(self._log, list):
            self._log.append((self, pattern))
        found = self._answers[pattern]
        return found.pop(0) if isinstance(found, list) else found


def raced(here, base, rounds=3, beside=(), patterns="ab"):
    """Race, and return what was found and the rows and notes that were printed."""
    group = Group("title", tuple(Call("solve", p) for p in patterns), ("pattern",),
                  beside=beside, beside_name="other" if beside else "")  # fmt: skip
    text = io.StringIO()
    found = race(group, here, base, rounds, Console(file=text, width=100))
    lines = text.getvalue().splitlines()
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    return found, rows, [line for line in lines if line and not line.startswith("|")]


def test_twice_as_fast_is_two():
    found, rows, notes = raced(Answering(a=0.001, b=0.002), Answering(a=0.002, b=0.001))
    assert rows[0] == ["pattern", "here, ms", "base, ms", "times as fast as base", "quartiles"]
    assert rows[2] == ["a", "1.00", "2.00", "2.00", "2.00 to 2.00"]
    assert rows[3] == ["b", "2.00", "1.00", "0.50", "0.50 to 0.50"]
    assert notes == ["title, medians", "times as fast as base: least 0.50, median 1.25"]
    assert [run["ratios"]["base"] for run in found] == [[2.0] * 3, [0.5] * 3]
    assert found[0]["seconds"] == {"here": [0.001] * 3, "base": [0.002] * 3}


def test_the_spread_is_of_ratios_and_the_first_call_is_not_counted():
    base = Answering(a=[9.0, 0.001, 0.002, 0.003])
    found, rows, _ = raced(Answering(a=0.001), base, patterns="a")
    assert rows[2][3:] == ["2.00", "1.50 to 2.50"]
    assert found[0]["seconds"]["base"] == [0.001, 0.002, 0.003]


def test_they_take_turns_and_neither_is_always_first():
    log = []
    here, base = Answering(log, a=1.0), Answering(log, a=1.0)
    raced(here, base, rounds=2, patterns="a")
    assert [racer for racer, _ in log[2:]] == [here, base, base, here]


@pytest.mark.parametrize("fails", [0, 2])
def test_a_build_that_lacks_it_gets_a_row_that_says_so(fails):
    """At once, or after a while."""
    base = Answering(a=[0.002] * fails + ["InvalidPattern: no [bold]such[/] thing"], b=0.002)
    found, rows, notes = raced(Answering(a=0.001, b=0.001), base)
    assert rows[2] == ["a", "1.00", "-", "-", "-"]
    assert rows[3][-2] == "2.00"
    assert notes[1] == "  no times of base: InvalidPattern: no [bold]such[/] thing"
    assert found[0]["reasons"] == {"base": "InvalidPattern: no [bold]such[/] thing"}
    assert found[0]["ratios"] == found[1]["reasons"] == {}
    assert found[0]["seconds"] == {"here": [0.001] * 3}


def test_a_third_stands_beside():
    here, base = Answering(a=0.002, b=0.001), Answering(a=0.002)
    found, rows, _ = raced(here, base, beside=(Call("solve", "b"),), patterns="a")
    assert rows[0][3:] == ["other, ms", "times as fast as base", "quartiles",
                           "times as fast as other", "quartiles"]  # fmt: skip
    assert rows[2][3:] == ["1.00", "1.00", "1.00 to 1.00", "0.50", "0.50 to 0.50"]
    assert found[0]["ratios"]["other"] == [0.5] * 3
