"""The experiment's tables: figures, correlations, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...pages.table import Table
from .constraints import DENSE
from .findings import Findings, Values, difference, draws, groups, reversed_pairs
from .ranks import Correlation, kendall, spearman

__all__ = ["tables"]


def tables(found: Findings) -> Iterator[Table]:
    """Lay everything out."""
    yield _figures(found)
    for name, measure in (("Spearman's", spearman), ("Kendall's", kendall)):
        yield _correlations(found, name, measure)
    yield _verdicts(found)


def _figures(found: Findings) -> Table:
    qualities = found["qualities"]
    title = "Diversity, bits a weight; kept score, %; accuracy less that of dense networks, points"
    table = Table(title, ("constraint", "exact", "paper's", *qualities))
    for label in found["density"]:
        cells = [f"{found['exact'][label]:.3f}", f"{found['paper'][label]:.3f}"]
        for quality, values in qualities.items():
            if DENSE.label in values:
                cells.append(_points(*difference(found, quality, label, DENSE.label)))
            else:
                cells.append(f"{100 * np.mean(values[label]):.2f}")
        table.add(label, *cells)
    ends = [f"{100 * np.mean(v.get(DENSE.label, 1.0)):.2f}" for v in qualities.values()]
    table.add(f"{DENSE.label}: %", "", "", *ends)
    return table


def _correlations(
    found: Findings, name: str, measure: Callable[[Values, Values], Correlation]
) -> Table:
    """Correlate qualities with diversity, and accuracies with the encoder's kept score."""
    title = f"{name} rank correlation, 95 % interval and p"
    table = Table(title, "quality | density | points | exact | paper's | kept score")
    for quality, by_label in found["qualities"].items():
        for group, labels in groups(found).items():
            values = draws(found, quality, labels)
            bits = [[by[label] for label in labels] for by in (found["exact"], found["paper"])]
            cells = [_cell(measure(np.array(x), values)) for x in bits]
            kept = draws(found, "kept, encoder", labels).mean(axis=1)
            cells.append(_cell(measure(kept, values)) if DENSE.label in by_label else "")
            table.add(quality, group, str(len(labels)), *cells)
    return table


def _verdicts(found: Findings) -> Table:
    """Say how often the quality is clearly on one side, by 95 % intervals."""
    pairs = reversed_pairs(found)
    title = "Pairs of equal density that the two counts order differently"
    head = "quality | exact right | paper right | undecided | 2:4 plain less 4:8 T"
    table = Table(title, head)
    for quality in found["qualities"]:
        mean, half = np.array([difference(found, quality, *pair) for pair in pairs]).T
        right, wrong = int((mean > half).sum()), int((mean < -half).sum())
        the_pair = _points(*difference(found, quality, "2:4 plain", "4:8 T"))
        counts = (right, wrong, len(pairs) - right - wrong)
        table.add(quality, *(str(k) for k in counts), the_pair)
    return table


def _points(mean: float, half: float) -> str:
    return f"{100 * mean:+.2f} ± {100 * half:.2f}"


def _cell(found: Correlation) -> str:
    p = "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}), {p}"
