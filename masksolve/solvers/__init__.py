"""The methods, one a file, and their registry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from masksolve.errors import UnknownMethod
from masksolve.pattern import Pattern
from masksolve.solvers import (
    best_random,
    bi_nm,
    entropic,
    exact,
    greedy,
    local_search,
    min_cost_flow,
    two_approx,
)
from masksolve.solvers import enumerate as enumerate_
from masksolve.solvers.base import MatrixSolution, Method, TileSolution
from masksolve.solvers.options import Option, as_options

__all__ = [
    "METHODS",
    "MatrixSolution",
    "Method",
    "Option",
    "TileSolution",
    "as_options",
    "find_method",
]

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            exact.METHOD,
            min_cost_flow.METHOD,
            enumerate_.METHOD,
            greedy.METHOD,
            local_search.METHOD,
            entropic.METHOD,
            two_approx.METHOD,
            bi_nm.METHOD,
            best_random.METHOD,
        )
    }
)
"""Every method by name, the default first."""


def find_method(name: str, pattern: Pattern) -> Method:
    """Look a method up and make sure that it takes the pattern.

    Raises
    ------
    UnknownMethod
        Naming the methods that would do.
    """
    method = METHODS.get(name) if isinstance(name, str) else None
    if method is None:
        raise UnknownMethod(f"unknown method {name!r}; known are {', '.join(METHODS)}")
    if pattern.m > method.max_m:
        raise UnknownMethod(
            f"method {name!r} takes m up to {method.max_m}, pattern '{pattern}' has m = {pattern.m}"
        )
    if not (pattern.transposable or method.plain):
        able = ", ".join(m.name for m in METHODS.values() if m.plain)
        raise UnknownMethod(
            f"method {name!r} solves transposable patterns only; for '{pattern}' use {able}"
        )
    return method
