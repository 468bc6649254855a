"""Selection networks in the form that Triton takes: nested tuples, known when compiling."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

from masksolve.kernels.selection_network import middle_network

__all__ = ["Program", "selection_program"]

Program: TypeAlias = tuple[tuple[tuple[int, int, bool, bool], ...], int, int]
"""Steps (first, second, keep larger, keep smaller), whose results are numbered on from the
m inputs; the numbers of the n-th largest and of the one after it."""


@cache
def selection_program(n: int, m: int) -> Program:
    """Return the network for the n-th and (n+1)-th largest of m as a program.

    Examples
    --------
    >>> steps, nth, following = selection_program(1, 3)
    >>> steps, nth, following
    (((0, 2, True, True), (1, 4, True, False)), 3, 5)
    """
    network = middle_network(n, m)
    number = {k: k for k in range(m)}
    steps = []
    for step in network.steps:
        steps.append(
            (
                number[step.first],
                number[step.second],
                step.larger is not None,
                step.smaller is not None,
            )
        )
        for wire in (step.larger, step.smaller):
            if wire is not None:
                number[wire] = len(number)
    return tuple(steps), number[network.nth], number[network.next]
