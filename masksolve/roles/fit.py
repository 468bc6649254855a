"""Whether a pattern fits the sides of a matrix."""

from __future__ import annotations

from masksolve.pattern import Pattern

__all__ = ["misfit"]


def misfit(sides: tuple[int, int], pattern: Pattern, *, whole: bool) -> str | None:
    """Say why a pattern does not fit a matrix.

    Parameters
    ----------
    sides : tuple of int
        Numbers of outputs and inputs.
    pattern : Pattern
    whole : bool
        Whether tiles must be whole.

    Examples
    --------
    >>> misfit((10, 32), Pattern.parse("4:8"), whole=True)
    'its matrix is 10 x 32, no multiple of 8'
    """
    shown, m = f"its matrix is {sides[0]} x {sides[1]}", pattern.m
    checked = sides if pattern.transposable else sides[1:]
    if not min(sides):
        return f"{shown}, empty"
    if min(checked) < m:
        return f"{shown}, narrower than {m}"
    if whole and any(side % m for side in checked):
        return f"{shown}, no multiple of {m}"
    return None
