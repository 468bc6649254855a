"""The arms: dense, thresholds of every kind, thresholds that choose N:M masks, N:M alone."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DENSE", "Arm"]


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes
    ----------
    alpha : float or None
        What sparsity is worth; None: no thresholds.
    kind : str
        Of thresholds: one a row, a matrix or an entry.
    reset : str
        Where the reset rule holds: as published, which is not in LSTMs, or everywhere.
    trained : bool
        Start from a network that was trained dense, for as long again.
    m : int or None
        Masks of at most N of every m both ways, N every layer's own.
    pattern : str or None
        The same exact N:M masks for every layer, by magnitude, without thresholds.
    """

    alpha: float | None = None
    kind: str = "vector"
    reset: str = "published"
    trained: bool = False
    m: int | None = None
    pattern: str | None = None

    @property
    def label(self) -> str:
        """Name it: "alpha 0.005, N:8"."""
        if self.alpha is None:
            return "dense" if self.pattern is None else f"uniform {self.pattern}"
        words = [f"alpha {self.alpha:g}"]
        words += [] if self.kind == "vector" else [f"{self.kind} thresholds"]
        words += [] if self.reset == "published" else [f"reset {self.reset}"]
        words += ["from dense"] if self.trained else []
        words += [] if self.m is None else [f"N:{self.m}"]
        return ", ".join(words)


DENSE = Arm()
