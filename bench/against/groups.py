"""What is raced: groups of calls, a table each."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CALLS", "GROUPS", "SPEED", "Call", "Group"]


class Call(NamedTuple):
    """A call and what it is given.

    Attributes
    ----------
    call : str
        "solve"; "certify" or "repair", of greedy's mask; or the name of a method.
    pattern : str
    side : int
        Of the square matrix.
    weights : str
        Their dtype; "... grid": float32, rounded to it.
    threads : int or None
        None: all cores, by the wall; 1: the thread's own time.
    """

    call: str
    pattern: str
    side: int = 4096
    weights: str = "float32"
    threads: int | None = None


class Group(NamedTuple):
    """Calls, and how to show them.

    Attributes
    ----------
    title : str
    calls : tuple of Call
    columns : tuple of str
        What tells the calls apart.
    unit, scale : str, float
        Of times, and how many there are in a second.
    beside : tuple of Call
        For each call one that this build makes too, to see how they compare; or none.
    beside_name : str
    """

    title: str
    calls: tuple[Call, ...]
    columns: tuple[str, ...]
    unit: str = "ms"
    scale: float = 1e3
    beside: tuple[Call, ...] = ()
    beside_name: str = ""


HALVES = ("2:4", "4:8", "8:16", "16:32")
METHODS = ("greedy", "local_search", "entropic", "two_approx", "bi_nm", "best_random")
SMALL = ((16, "8:16"), (64, "4:8"))


def _near(side: int, m: int) -> int:
    """Find the multiple of m that is nearest to a side."""
    return m * round(side / m)


SPEED = {
    "transposable": Group(
        "solve, 4096 x 4096",
        tuple(
            Call("solve", pattern, weights=weights)
            for weights in ("float32", "bfloat16 grid", "int8 grid")
            for pattern in HALVES
        ),
        ("pattern", "weights"),
    ),
    "plain": Group(
        "solve, plain patterns, 4096 x 4096 float32",
        tuple(Call("solve", f"{pattern},plain") for pattern in HALVES[:3]),
        ("pattern",),
        beside=tuple(Call("solve", pattern) for pattern in HALVES[:3]),
        beside_name="transposable",
    ),
    "certify": Group(
        "certify of greedy's mask, 4096 x 4096 float32",
        tuple(Call("certify", pattern) for pattern in HALVES[:2]),
        ("pattern",),
    ),
    "tile": Group(
        "solve, one tile", (Call("solve", "8:16", 16),), ("pattern", "side"), unit="us", scale=1e6
    ),
    "widths": Group(
        "solve, every m with n = m // 2, float32",
        tuple(Call("solve", f"{m // 2}:{m}", _near(1024, m)) for m in range(2, 65)),
        ("pattern", "side"),
    ),
}
"""Calls on all cores."""

CALLS = {
    "calls": Group(
        "one tile or a few, on one thread: CPU time",
        (
            *(
                Call(call, pattern, side, threads=1)
                for side, pattern in SMALL
                for call in ("solve", "certify", "repair", *METHODS)
            ),
            *(
                Call("solve", pattern, side, weights, threads=1)
                for side, pattern in SMALL
                for weights in ("float64", "bfloat16")
            ),
        ),
        ("call", "side", "pattern", "weights"),
        unit="us",
        scale=1e6,
    )
}
"""What a call costs before and after the kernels."""

GROUPS = SPEED | CALLS
