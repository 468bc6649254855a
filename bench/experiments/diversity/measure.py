"""The measurements: kept scores here, accuracies in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ...encoder import encoder_layers
from ..shared.session import Session
from .constraints import DENSE, Constraint
from .digits import MASKED
from .findings import Draws, Findings
from .regimes import accuracies

__all__ = ["kept", "measure"]

BLOCK = 8
MATRICES, SIDE = 16, 512
PACKAGES = ("masksolve", "numpy", "scipy", "sklearn", "torch")


def measure(constraints: Sequence[Constraint], seeds: int, session: Session) -> Findings:
    """Measure everything, of so many networks.

    Eight of them at a time go through all constraints in one process.
    """

    def shares(matrices: Iterable[NDArray[np.float32]], what: str) -> Draws:
        scores = [np.abs(w) for w in matrices]
        steps = track(constraints, what, console=session.console)
        return {c.label: [kept(c, s) for s in scores] for c in steps}

    normal = np.random.default_rng(0).standard_normal((MATRICES, SIDE, SIDE), np.float32)
    qualities = {
        "kept, encoder": shares(encoder_layers().values(), "kept scores, encoder"),
        "kept, normal": shares(normal, "kept scores, normal"),
    }
    blocks = [range(k, min(k + BLOCK, seeds)) for k in range(0, seeds, BLOCK)]
    jobs = [((DENSE, *constraints), block) for block in blocks]
    done = sorted(session.each(accuracies, jobs, "training"), key=itemgetter(0))
    for _, block in done:
        for regime, by_label in block.items():
            draws = qualities.setdefault(regime, {})
            for label, values in by_label.items():
                draws.setdefault(label, []).extend(values)
    found: Findings = session.found(
        PACKAGES,
        density={c.label: c.density for c in constraints},
        exact={c.label: c.bits(MASKED) for c in constraints},
        paper={c.label: c.paper_bits(MASKED) for c in constraints},
        qualities={
            name: {label: [round(v, 5) for v in values] for label, values in draws.items()}
            for name, draws in qualities.items()
        },
    )
    return found


def kept(constraint: Constraint, scores: NDArray[np.float32]) -> float:
    """Return the share of the scores that the best mask keeps."""
    mask = constraint.mask(scores)
    return float(scores.sum(where=mask, dtype=np.float64) / scores.sum(dtype=np.float64))
