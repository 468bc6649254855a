"""What a run of pruning is asked for, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from masksolve.checkpoints.memory import parse_bytes
from masksolve.errors import InvalidInput
from masksolve.torch.fitting import FitSettings

__all__ = ["MEMORY", "Mode", "PruneSettings"]

Mode: TypeAlias = Literal["sequential", "parallel"]
MEMORY = "12GB"


@dataclass(frozen=True)
class PruneSettings:
    """How a checkpoint is pruned.

    Parameters
    ----------
    fit : FitSettings
        How each matrix is.
    mode : {"sequential", "parallel"}
    memory : str or int
        Bytes.
    tensors : sequence of str, optional
        Names, or patterns of names, to prune.
    exclude : sequence of str
        And to leave dense.

    Raises
    ------
    InvalidInput
        If something is not what it should be.
    """

    fit: FitSettings
    mode: Mode = "sequential"
    memory: str | int = MEMORY
    tensors: Sequence[str] | None = None
    exclude: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            known = " or ".join(get_args(Mode))
            raise InvalidInput(f"mode must be {known}, got {self.mode!r}")
        object.__setattr__(self, "memory", parse_bytes(self.memory))

    def to_dict(self) -> dict[str, Any]:
        """Return what decides about the result."""
        wanted = None if self.tensors is None else list(self.tensors)
        return self.fit.to_dict() | {
            "mode": self.mode,
            "tensors": wanted,
            "exclude": list(self.exclude),
        }
