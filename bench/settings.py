"""How much is measured: a few minutes, or everything."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SIZES", "Settings"]

PATTERNS = ("1:4", "2:4", "2:8", "4:8", "8:16", "16:32", "32:64")


@dataclass(frozen=True)
class Settings:
    """What a run covers; sides are of square matrices, times in seconds.

    Attributes
    ----------
    size : str
        Name of these settings.
    rounds : int
        Values of a timing; the contestants take turns.
    limit : float
        A call that takes longer is cut off.
    patience : float
        A larger matrix is tried only if a call on it should take no longer, going by the
        time per tile on the smaller one.
    patterns : tuple of str
        Patterns for time and quality.
    pattern_side : int
        Largest side in the comparison of patterns and of cores.
    sides : tuple of int
        Growth with size,
    side_patterns : tuple of str
        in these patterns.
    cases : tuple of str
        Names of cases; empty: all.
    quality_tiles : int
        Tiles of a case whose masks are judged,
    quality_patience : float
        and how long a contestant may take for them; the slow get fewer.
    agreement_side : int
        Side of the 2:4 matrix on which all exact methods must agree,
    agreement_limit : float
        and how long they may take.
    training_pattern : str
        Pattern of the training loop,
    training_patience : float
        how long a renewal may take there,
    training_every : tuple of int
        and after how many steps it renews its masks.
    seed : int
    """

    size: str
    rounds: int
    limit: float
    patience: float
    sides: tuple[int, ...]
    side_patterns: tuple[str, ...]
    pattern_side: int
    quality_tiles: int
    quality_patience: float
    agreement_limit: float
    training_patience: float
    patterns: tuple[str, ...] = PATTERNS
    cases: tuple[str, ...] = ()
    agreement_side: int = 1024
    training_pattern: str = "4:8"
    training_every: tuple[int, ...] = (1, 10, 40)
    seed: int = 0


SMOKE = Settings(
    size="smoke",
    rounds=2,
    limit=10.0,
    patience=0.02,
    sides=(8, 64),
    side_patterns=("4:8",),
    pattern_side=64,
    quality_tiles=32,
    quality_patience=0.02,
    agreement_limit=20.0,
    training_patience=0.5,
    patterns=("2:4", "4:8"),
    cases=("normal", "int8 grid", "against greedy", "against two_approx", "encoder"),
    agreement_side=128,
    training_every=(1, 10),
)

QUICK = Settings(
    size="quick",
    rounds=5,
    limit=20.0,
    patience=0.5,
    sides=(16, 64, 256, 512, 1024, 4096, 8192),
    side_patterns=("8:16",),
    pattern_side=1024,
    quality_tiles=512,
    quality_patience=0.25,
    agreement_limit=90.0,
    training_patience=1.0,
)

FULL = Settings(
    size="full",
    rounds=9,
    limit=120.0,
    patience=10.0,
    sides=(4, 8, 16, 32, 64, 256, 512, 1024, 2048, 4096, 8192, 16384),  # from one tile on
    side_patterns=("2:4", "4:8", "8:16", "16:32"),
    pattern_side=2048,
    quality_tiles=4096,
    quality_patience=4.0,
    agreement_limit=1200.0,
    training_patience=5.0,
)

SIZES = {settings.size: settings for settings in (SMOKE, QUICK, FULL)}
"""By name: half a minute to see that a solver runs, a few minutes, hours."""
