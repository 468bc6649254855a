"""Calls on demand: every kind is made, and one that a build refuses has a reason."""

import time

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.against import calls
from masksolve.bench.against.groups import GROUPS, Call


@pytest.fixture(autouse=True)
def _once(monkeypatch):
    """Make every call once only."""
    monkeypatch.setattr(calls, "ENOUGH", 0.0)


@pytest.mark.parametrize("call", ["solve", "certify", "repair", "greedy"])
@pytest.mark.parametrize("threads", [None, 1])
def test_a_call_takes_a_while(call, threads):
    found = calls.answer(Call(call, "2:4", 16, threads=threads)._asdict())
    assert list(found) == ["seconds"]
    assert found["seconds"] > 0


def test_what_is_refused_has_a_reason():
    found = calls.answer(Call("solve", "9:4", 16)._asdict())
    assert list(found) == ["reason"]
    assert found["reason"].startswith("InvalidPattern: ")


@pytest.mark.parametrize(
    ("kind", "dtype", "values"),
    [
        ("float32", "float32", None),
        ("float64", "float64", None),
        ("bfloat16", "bfloat16", None),
        ("bfloat16 grid", "float32", None),
        ("int8 grid", "float32", 255),
    ],
)
def test_weights(kind, dtype, values):
    w = calls.weights_of(kind, 64)
    assert (w.shape, w.dtype.name) == ((64, 64), dtype)
    if values is not None:
        np.testing.assert_array_equal(w, np.round(w))
        assert np.abs(w).max() == 127
    if kind == "bfloat16 grid":
        np.testing.assert_array_equal(w, calls.weights_of("bfloat16", 64).astype(np.float32))


def test_short_calls_are_repeated(monkeypatch):
    monkeypatch.setattr(calls, "ENOUGH", 0.01)
    ticks = iter(range(1_000_000))
    made = []
    found = calls.seconds(lambda: made.append(time.sleep(0.001)), lambda: next(ticks))
    assert len(made) > 1
    assert found == 1


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_of_calls_that_can_be_made(name):
    group = GROUPS[name]
    assert len(set(group.calls)) == len(group.calls)
    assert len(group.beside) in (0, len(group.calls))
    labels = {tuple(getattr(call, column) for column in group.columns) for call in group.calls}
    assert len(labels) == len(group.calls)
    for call in group.calls:
        assert call.side % ms.Pattern.parse(call.pattern).m == 0


def test_every_width_is_raced():
    patterns = [ms.Pattern.parse(call.pattern) for call in GROUPS["widths"].calls]
    assert [(p.n, p.m) for p in patterns] == [(m // 2, m) for m in range(2, 65)]
