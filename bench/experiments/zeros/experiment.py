"""The experiment: every conversion of the weights of every seed, and the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..shared.experiment import Experiment
from ..shared.session import Session
from .findings import Findings
from .measure import NEARLY, convert
from .page import fill
from .pruned import PATTERN
from .reader import Reader
from .ways import PACKAGES, WAYS

__all__ = ["EXPERIMENT", "main"]


@dataclass(frozen=True)
class Size:
    """How much is run: conversions are quick, so all of them are, each time anew."""

    rows: int = 256
    columns: int = 512
    seeds: int = 3


SIZES = {"smoke": Size(16, 256, 1), "full": Size()}


def measure(size: Size, seeds: int | None, session: Session) -> Findings:
    """Run every conversion: what is installed may have changed, so none is kept."""
    count = seeds or size.seeds
    jobs = [(name, size.rows, size.columns, seed) for name in WAYS for seed in range(count)]
    runs = list(session.each(convert, jobs, "converting"))
    order = list(WAYS)
    runs.sort(key=lambda run: (order.index(run["way"]), run["seed"]))
    settings = asdict(size) | {"seeds": count, "pattern": PATTERN, "nearly": NEARLY}
    found: Findings = session.found(PACKAGES, settings=settings, runs=runs)
    return found


EXPERIMENT = Experiment(
    name="zeros",
    says="Convert 2:4 weights by every tool that is installed, and count their zeros.",
    sizes=SIZES,
    needed=Findings.__required_keys__,
    measure=measure,
    reader=Reader,
    fill=fill,
)

main = EXPERIMENT.main
