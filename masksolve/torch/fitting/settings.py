"""How layers are fitted, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count, as_number, as_threads
from masksolve.pattern import Pattern
from masksolve.solvers import METHODS, as_options, find_method

__all__ = ["Algorithm", "FitSettings"]

Algorithm: TypeAlias = Literal["admm", "sparsegpt", "wanda", "magnitude"]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a layer's mask and weights are found.

    Parameters
    ----------
    pattern : Pattern or str
    algorithm : {"admm", "sparsegpt", "wanda", "magnitude"}
        admm: masks and weights in turn, then least squares. sparsegpt: column by column, masks
        solved when their columns are reached. wanda: the mask that keeps the most of
        (w ||x||)^2. magnitude: of abs(w).
    refit : bool
        Find the best weights under the mask: after admm always.
    damping : float, optional
        How strongly weights are pulled to the dense ones, in shares of their inputs' mean
        squares. Default: what does best on held-out rows; without such, 0.1.
    rounds : int
        Of ADMM.
    method, options, threads
        The solver of masks, as for `masksolve.solve`.

    Raises
    ------
    InvalidInput, InvalidPattern, UnknownMethod
        If something is not what it should be.

    Examples
    --------
    >>> FitSettings("8:16", algorithm="wanda").pattern
    Pattern(n=8, m=16, transposable=True, at_most=False)
    """

    pattern: Pattern
    algorithm: Algorithm = "admm"
    refit: bool = True
    damping: float | None = None
    rounds: int = 6
    method: str = "exact"
    options: Mapping[str, float] | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", Pattern.parse(self.pattern))
        if self.algorithm not in get_args(Algorithm):
            known = ", ".join(get_args(Algorithm))
            raise InvalidInput(f"algorithm must be one of {known}, got {self.algorithm!r}")
        if self.damping is not None:
            object.__setattr__(self, "damping", as_number(self.damping, "damping", 0.0))
        object.__setattr__(self, "rounds", as_count(self.rounds, "rounds"))
        find_method(self.method, self.pattern)
        as_options(self.method, METHODS[self.method].options, self.options)
        as_threads(self.threads)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides about the result: threads do not."""
        found = asdict(self) | {"pattern": str(self.pattern), "options": dict(self.options or {})}
        return {name: value for name, value in found.items() if name != "threads"}
