"""The constraint: n KEPT of every m, along rows only or along both directions."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

from masksolve.errors import InvalidPattern

__all__ = ["MAX_M", "Pattern"]

MAX_M = 64
"""Largest tile side that the solvers take."""

BOTH = ["at-most", "plain"]
_SYNTAX = re.compile(r"\s*([+-]?[0-9]{1,9})\s*:\s*([+-]?[0-9]{1,9})\s*((?:,\s*[a-z-]+\s*)*)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """N:M sparsity: ``n`` kept of every ``m`` consecutive entries of a line.

    Parameters
    ----------
    n, m : int
        ``1 <= n <= m <= 64``. ``n`` counts what is KEPT, as NVIDIA, SR-STE and
        TSENOR do; papers that count zeros write 4:8 the same and 1:4 as 3:4.
    transposable : bool
        True: every row and every column of each m x m tile obeys n, so the same
        mask is N:M for the matrix and for its transpose. False: plain N:M,
        groups of m along the last of the two matrix axes.
    at_most : bool
        False: exactly n per line of a full tile. True: at most n. Lines of a
        partial tile (a shape that is not a multiple of m) hold at most n in both.

    Raises
    ------
    InvalidPattern
        If the numbers are out of range or not integers.

    Examples
    --------
    >>> Pattern(2, 4)
    Pattern(n=2, m=4, transposable=True, at_most=False)
    >>> Pattern.parse("4:8,at-most").at_most
    True
    >>> str(Pattern(2, 4, transposable=False))
    '2:4,plain'
    >>> Pattern.parse("8:4")
    Traceback (most recent call last):
        ...
    masksolve.errors.InvalidPattern: pattern '8:4' keeps 8 of 4: n must be at most m
    """

    n: int
    m: int
    transposable: bool = True
    at_most: bool = False

    def __post_init__(self) -> None:
        for name in ("n", "m"):
            value = getattr(self, name)
            try:
                if isinstance(value, bool):
                    raise TypeError
                object.__setattr__(self, name, operator.index(value))
            except TypeError:
                raise InvalidPattern(f"pattern {name} must be an integer, got {value!r}") from None
        for name in ("transposable", "at_most"):
            object.__setattr__(self, name, bool(getattr(self, name)))
        label = f"pattern '{self.n}:{self.m}'"
        if self.n < 1:
            raise InvalidPattern(f"{label} keeps {self.n} per line: n must be at least 1")
        if self.n > self.m:
            raise InvalidPattern(f"{label} keeps {self.n} of {self.m}: n must be at most m")
        if self.m > MAX_M:
            raise InvalidPattern(f"{label} has m = {self.m}: m must be at most {MAX_M}")

    @staticmethod
    def parse(text: str | Pattern) -> Pattern:
        """Read ``"n:m"``, optionally followed by ``,plain`` and ``,at-most``.

        Parameters
        ----------
        text : str or Pattern
            A `Pattern` comes back as it is, so every function takes either.

        Returns
        -------
        Pattern

        Raises
        ------
        InvalidPattern
            If the text is of another form or the numbers are out of range.
        """
        if isinstance(text, Pattern):
            return text
        if not isinstance(text, str):
            raise InvalidPattern(
                f"pattern must be a Pattern or a string like '2:4', got {type(text).__name__}"
            )
        found = _KNOWN.get(text)
        if found is None:
            found = _KNOWN[text] = _parse(text)
        return found

    def __str__(self) -> str:
        plain = "" if self.transposable else ",plain"
        return f"{self.n}:{self.m}{plain}{',at-most' if self.at_most else ''}"

    @property
    def density(self) -> float:
        """Share of entries that a full line keeps (at most)."""
        return self.n / self.m

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Rows and columns of the independent block: m x m, or 1 x m for plain N:M."""
        return (self.m if self.transposable else 1, self.m)


_KNOWN: dict[str, Pattern] = {}
"""Texts that were read before. A dict, because compilers see through it; there are few patterns."""


def _parse(text: str) -> Pattern:
    match = _SYNTAX.fullmatch(text)
    flags = [f.strip() for f in match[3].split(",") if f.strip()] if match else []
    if match is None or sorted(flags) not in ([], ["plain"], ["at-most"], BOTH):
        raise InvalidPattern(
            f"pattern {text!r} is not of the form 'n:m', 'n:m,plain' or 'n:m,at-most'"
        )
    return Pattern(
        int(match[1]), int(match[2]), transposable="plain" not in flags, at_most="at-most" in flags
    )
