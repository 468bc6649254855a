"""The experiment: every arm for every seed, in processes of one thread."""

from __future__ import annotations

import hashlib
import json

from ..shared.experiment import Experiment, common
from ..shared.session import Session
from .findings import Findings, Reader, Run
from .page import fill
from .run import prune, tokens, weights
from .sizes import SIZES, Arm, Size
from .texts import library

__all__ = ["EXPERIMENT", "main"]

PACKAGES = ("masksolve", "numpy", "tokenizers", "torch", "transformers")


def measure(size: Size, seeds: int | None, session: Session) -> Findings:
    """Run what is not finished yet; the texts of another Python are other settings."""
    seeds = seeds or size.seeds
    texts = hashlib.sha256(json.dumps(library()).encode()).hexdigest()[:16]
    settings = common(size) | {"texts": texts}
    jobs = {(arm, seed): (size, arm, seed) for arm in size.arms for seed in range(seeds)}
    runs = session.finish(prune, jobs, settings, _key, "pruning")
    found: Findings = session.found(
        PACKAGES,
        settings=settings,
        seeds=seeds,
        modules=len(library()),
        sentences=sum(len(some) for some in library().values()),
        tokens=[tokens(size, seed) for seed in range(seeds)],
        weights=weights(size),
        runs=runs,
    )
    return found


def _key(run: Run) -> tuple[Arm, int]:
    return Arm(run["recovery"], run["pattern"], run["method"]), run["seed"]


EXPERIMENT = Experiment(
    name="adaprune",
    says="Prune a sentence encoder in several ways, and compare its embeddings.",
    sizes=SIZES,
    needed=Findings.__required_keys__,
    measure=measure,
    reader=Reader,
    fill=fill,
)

main = EXPERIMENT.main
