"""The ways in which a mask comes into training, and what accuracy each leaves."""

from __future__ import annotations

from collections.abc import Sequence

from .constraints import Constraint
from .digits import Ensemble, Mask

__all__ = ["REGIMES", "accuracies"]

EPOCHS, HELD = 20, 5
MORE = 5
REGIMES = {
    "pruned": "dense networks, masked once, as they are",
    "tuned": f"the same, trained on for {MORE} epochs with those masks",
    "renewed": "trained from the start while the masks are renewed",
    "fixed": "trained from the start with the masks of the first weights",
}
"""What each regime is, by name."""


def accuracies(
    constraints: Sequence[Constraint], seeds: Sequence[int]
) -> tuple[int, dict[str, dict[str, list[float]]]]:
    """Train networks of some seeds with every constraint, in every regime.

    Returns
    -------
    int
        The first of the seeds.
    dict
        Accuracies by regime and label, one a seed.
    """
    dense = Ensemble(seeds)
    dense.train(range(EPOCHS))
    found: dict[str, dict[str, list[float]]] = {regime: {} for regime in REGIMES}
    for constraint in constraints:
        for regime, nets in _trained(dense, seeds, constraint.mask).items():
            found[regime][constraint.label] = nets.accuracy().tolist()
    return seeds[0], found


def _trained(dense: Ensemble, seeds: Sequence[int], mask: Mask) -> dict[str, Ensemble]:
    pruned = dense.copy()
    pruned.prune(mask)
    tuned = pruned.copy()
    tuned.train(range(EPOCHS, EPOCHS + MORE))
    renewed = Ensemble(seeds)
    renewed.train(range(EPOCHS), mask, held=HELD)
    fixed = Ensemble(seeds)
    fixed.prune(mask)
    fixed.train(range(EPOCHS))
    return {"pruned": pruned, "tuned": tuned, "renewed": renewed, "fixed": fixed}
