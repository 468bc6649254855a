"""The command of all experiments: ``python -m bench.experiments NAME``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from ..pages.words import listing

__all__ = ["EXPERIMENTS", "main"]

EXPERIMENTS = {
    "adaprune": "what AdaPrune gives back of what N:M masks take from a sentence encoder",
    "diversity": "whether the number of masks that a pattern allows predicts their quality",
    "dst": "what Dynamic Sparse Training leaves of networks, over a sweep of alpha",
    "filters": "what provable filter pruning costs, and how good its bounds are",
    "models": "whether a model's modules and its file choose the same weights",
    "training": "what exact masks, and renewing them often, buy in sparse training",
    "zeros": "what becomes of a 2:4 weight's zeros in the tools that come after pruning",
}
USAGE = "python -m bench.experiments NAME [options]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment that the first argument names; return the exit code."""
    name, *others = list(sys.argv[1:] if arguments is None else arguments) or [""]
    if name in ("-h", "--help"):
        print(f"usage: {USAGE}\n", *(f"  {k:10} {v}" for k, v in EXPERIMENTS.items()), sep="\n")
        return 0
    if name not in EXPERIMENTS:
        wrong = f"there is no experiment {name}: " if name else ""
        print(f"{wrong}expected {USAGE}, one of {listing(EXPERIMENTS)}", file=sys.stderr)
        return 2
    try:
        experiment = import_module(f".{name}.experiment", __package__)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("masksolve"):
            raise
        print(f"the experiment {name} needs {error.name}: not installed", file=sys.stderr)
        return 2
    experiment.main(others)
    return 0
