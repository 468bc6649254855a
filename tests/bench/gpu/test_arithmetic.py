"""The count of the machine code, of which nothing runs."""

import sys
from collections import Counter

import pytest

from masksolve.bench.gpu import arithmetic
from masksolve.bench.gpu.arithmetic import Loop, expected_rounds
from masksolve.kernels.selection_network import selection_network

from ..processes import python


def test_the_busiest_unit_counts():
    loop = Loop(Counter(FMNMX=10, FADD=5, SHFL=1), 40, 0)
    assert loop.cycles == 20
    assert loop._replace(counts=Counter(FMNMX=1, FADD=5, SHFL=4)).cycles == 16
    assert loop._replace(counts=Counter(FMNMX=1, FADD=50, SHFL=4)).cycles == 55


def test_rounds():
    # 4:8: seven turns, and a few warps go on for four more.
    assert 7 <= expected_rounds(4, 8, tiles=512) <= 9


def test_the_command():
    """In a process of its own: here kernels are interpreted."""
    pytest.importorskip("triton")
    code, told, errors = python("-m", "masksolve.bench.gpu.arithmetic", TRITON_INTERPRET="0")
    assert code == 0, errors
    rows = {
        cells[0]: cells
        for line in told.splitlines()
        if len(cells := [cell.strip() for cell in line.split("|")[1:-1]]) > 1
    }
    for n, m in arithmetic.PATTERNS:
        cells = rows[f"{n}:{m}"]
        # Rows and columns: no operation beyond the network's, and no register spilled.
        assert int(cells[4]) <= 2 * selection_network(n, m).operations
        assert int(cells[5]) == 2 * m
        assert cells[2] == "0"


def test_without_triton(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert arithmetic.main() == 2
    assert capsys.readouterr().err == "this needs Triton: pip install triton\n"
