"""What AdaPrune was asked for, checked once."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count

__all__ = ["Mode", "Optimizer", "Settings"]

Mode: TypeAlias = Literal["sequential", "parallel"]
Optimizer: TypeAlias = Literal["least_squares", "adam", "none"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `adaprune` that say how layers are fitted."""

    mode: Mode
    optimizer: Optimizer
    absorb_mean: bool
    remask: int
    tune_bias: bool
    iterations: int
    batch_size: int
    rates: tuple[float, float]
    ridge: float
    memory: int
    seed: int

    def __post_init__(self) -> None:
        for name, kind in (("mode", Mode), ("optimizer", Optimizer)):
            known, given = get_args(kind), getattr(self, name)
            if given not in known:
                raise InvalidInput(f"{name} must be one of {', '.join(known)}, got {given!r}")
        for name, least in (("remask", 0), ("iterations", 1), ("batch_size", 1), ("seed", 0)):
            object.__setattr__(self, name, as_count(getattr(self, name), name, least))
        try:
            rates = tuple(float(rate) for rate in self.rates)
        except (TypeError, ValueError):
            rates = ()
        if len(rates) != 2 or not all(0 < rate < math.inf for rate in rates):
            raise InvalidInput(
                "rates must be two positive numbers, for weights and for biases, got "
                f"{self.rates!r}"
            )
        object.__setattr__(self, "rates", rates)
        if not (isinstance(self.ridge, int | float) and 0 <= self.ridge < math.inf):
            raise InvalidInput(f"ridge must be a number from 0 up, got {self.ridge!r}")
        if self.remask >= self.iterations and self.optimizer == "adam":
            raise InvalidInput(
                f"remask must be less than iterations, {self.iterations}, got {self.remask}"
            )

    @property
    def many(self) -> bool:
        """Whether several layers may be gathered in one pass."""
        return self.mode == "parallel" and self.optimizer != "adam"

    def to_dict(self) -> dict[str, Any]:
        """Return them as a checkpoint keeps them."""
        return {name: value for name, value in asdict(self).items() if name != "memory"}
