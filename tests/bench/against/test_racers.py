"""Processes that time calls: they answer, they die, they have successors."""

import pytest

from masksolve.bench.against.build import build_of
from masksolve.bench.against.groups import Call
from masksolve.bench.against.racers import Process

SOLVE = """
import os

def solve(weights, pattern, method, **options):
    if pattern == "1:2":
        os._exit(3)
    if pattern == "1:3":
        raise NotImplementedError("no such pattern")
"""


@pytest.fixture
def process(tmp_path):
    """Start a process of a build that does little."""
    package = tmp_path / "masksolve"
    package.mkdir()
    (package / "__init__.py").write_text(SOLVE)
    with build_of(str(tmp_path)) as build:
        yield Process(build)


def test_it_answers_in_order(process):
    for pattern in ("2:4", "1:3"):
        process.ask(Call("solve", pattern, 8))
    assert process.answer() >= 0
    assert process.answer() == "NotImplementedError: no such pattern"


def test_one_that_dies_has_a_successor(process):
    for _ in range(2):
        process.ask(Call("solve", "1:2", 8))
    assert process.answer() == "its process ended with 3"
    assert process.answer() == "its process died of the call before"
    process.ask(Call("solve", "2:4", 8))
    assert process.answer() >= 0
