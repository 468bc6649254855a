"""The page: what was done, every figure, and what they say."""

from __future__ import annotations

from collections.abc import Iterator

from ...pages.findings import where
from ...pages.page import Page
from ...pages.words import listing, plain
from . import pictures
from .findings import Reader
from .published import SOURCE
from .sizes import SAMPLERS
from .tables import errors, groups, promises, published, sizes

__all__ = ["fill"]

CLOSE = 0.01
"""Of error: what counts as nearly as good as the whole network."""


def fill(page: Page, reader: Reader) -> None:
    """Write what was done, every figure, and what they say onto a page."""
    page.heading(1, "What filter pruning costs")
    page.say(
        "Residual networks, pruned by every sampler of `masksolve.torch.filters` to a row of "
        "sizes. [The method](../filters.md) has a page of its own. Every figure and every "
        "verdict here is computed from one file of results."
    )
    page.heading(2, "In short")
    page.bullets(_in_short(reader))
    _done(page, reader)
    page.heading(2, "Error against size")
    page.picture("filters-errors", "Held-out error against size", pictures.errors(reader))
    page.say(
        "Means over networks, of means over draws; 95 % intervals over networks. In bold: "
        "better than magnitude, and the interval of the difference on the same networks "
        "leaves 0 out."
    )
    for what, title in (("wrong", "As pruned"), ("tuned", "Trained on")):
        page.heading(3, title)
        page.table(errors(reader, what))
    page.heading(3, "Sizes reached")
    page.say(
        "Samplers that draw reach the budget on average only. Output: norm of the error of "
        "the logits over their norm, on the calibration batch."
    )
    page.table(sizes(reader))
    page.heading(2, "Bounds")
    page.picture("filters-bounds", "Errors and bounds of every layer", pictures.bounds(reader))
    page.say(
        "Of each layer, by itself: the largest relative error over digits, outputs and "
        "patches, held against its bounds. Only layers that lost inputs are counted."
    )
    page.table(promises(reader))
    page.heading(2, "Which filters go")
    page.picture("filters-kept", "Filters that each group keeps", pictures.kept(reader))
    page.table(groups(reader))
    page.heading(2, "As published")
    page.say(
        f"The authors' own figures. Source: {SOURCE}. None of them was measured here. The "
        "commands would reproduce them, in the folder `examples/filters`, with `--data` and "
        "the folder of the data and with `--out`. (That WRN-16-8 has the dense accuracy of "
        "DenseNet-22 must be a slip of the source's.)"
    )
    page.table(published())
    page.heading(2, "Limits")
    page.bullets(LIMITS)


LIMITS = (
    "One small network on small images; one schedule. Larger ones may differ.",
    "Uniform and magnitude take the same share of every layer's filters; the others "
    "settle layers' sizes by sensitivity. Both differ at once: what is kept, and where.",
    "Pruned once. The authors prune and train in turns, many times, to reach their figures.",
    "Layers' errors are those of each layer by itself. No bound is given for the whole "
    "network; its measured error is in the table of sizes.",
)


def _in_short(reader: Reader) -> Iterator[str]:
    for what, words in (("wrong", "As pruned"), ("tuned", "Trained on for a little")):
        better, worse = _verdicts(reader, what)
        parts = [f"{name} {verdict}" for name, verdict in (*better, *worse)]
        yield f"{words}, against magnitude: {listing(parts)}."
        sizes = [
            f"{sampler} {100 * reader.crossing(sampler, what, CLOSE):g} %" for sampler in SAMPLERS
        ]
        yield (
            f"{words}, the smallest budget down to which the error stays within "
            f"{100 * CLOSE:g} point of the whole network's: {listing(sizes)}."
        )
    sure = reader.promise("certified", "measured")
    proven = reader.promise("proven", "measured")
    theirs = reader.promise("published", "held_out")
    delta = reader.found["settings"]["delta"]
    yield (
        f"{sure.within} of {sure.trials} layers and trials stayed within the bound that is "
        f"certain once filters are drawn, and {proven.within} of {proven.trials} within the "
        f"one proven before (to fail with probability {delta:g}); on digits held out "
        f"{theirs.within} of {theirs.trials} within the published one."
    )
    yield (
        f"The bounds are loose: the median layer's error is {100 * sure.usual:.0f} % of the "
        f"certain bound, {100 * proven.usual:.1f} % of the proven, and "
        f"{100 * theirs.usual:.2g} % of the published one, on digits held out."
    )


def _verdicts(reader: Reader, what: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Say of every sampler at which budgets it is clearly better or worse."""
    better: list[tuple[str, str]] = []
    worse: list[tuple[str, str]] = []
    for sampler in (s for s in SAMPLERS if s != "magnitude"):
        less = {b: reader.less(sampler, "magnitude", b, what) for b in reader.budgets}
        up = [f"{100 * b:g}" for b, d in less.items() if d.sure and d.mean < 0]
        down = [f"{100 * b:g}" for b, d in less.items() if d.sure and d.mean > 0]
        words = []
        if up:
            words.append(f"is better at {listing(up)} %")
        if down:
            words.append(f"is worse at {listing(down)} %")
        text = " but ".join(words) or "cannot be told apart"
        (better if up else worse).append((sampler, text))
    return better, worse


def _done(page: Page, reader: Reader) -> None:
    found, settings = reader.found, reader.found["settings"]
    page.heading(2, "What was done")
    page.say(
        f"{found['seeds']} networks of {found['parameters']:,} parameters: a stem and six "
        f"residual blocks of {settings['width']}, {2 * settings['width']} and "
        f"{4 * settings['width']} channels on scikit-learn's digits, {settings['learned']} of "
        f"1797 learned for {settings['epochs']} epochs by SGD. Sensitivities come from "
        f"{settings['calibration']} of the digits learned, errors of layers held out from "
        f"{settings['checked']} others; delta is {settings['delta']:g} for each layer. "
        f"Samplers that draw prune every network {settings['draws']} times to each budget. "
        f"Trained on: {settings['tuning']} epochs more, for the first draw, and for the whole "
        "network as well."
    )
    page.say(
        "`make bench-filters`, or `python -m bench.experiments filters`, does it all. Run on "
        f"{plain(where(found))}."
    )
