"""The experiment's page: what was done, what came out, in words that follow the figures."""

from __future__ import annotations

from ...pages.findings import where
from ...pages.page import Page
from ...pages.table import Table
from ...pages.words import plain
from . import pictures
from .findings import Reader
from .tables import layers, masks, published, sweep, variants
from .tasks import LEARNED, MAIN

__all__ = ["fill"]

TOLD = 8
"""M of the masks that the summary tells of."""
ALIKE = 1.5
"""Shares further apart are not compared."""


def fill(page: Page, reader: Reader) -> None:
    """Write what was done and what came out onto a page."""
    page.heading(1, "Dynamic Sparse Training on digits")
    page.say(
        "The method is on the page [Dynamic Sparse Training](../dst.md). Here it is measured: on "
        "scikit-learn's handwritten digits, over a sweep of alpha, alone and with N:M masks."
    )
    page.say("**In short.**")
    page.bullets(_in_short(reader))
    _done(page, reader)
    page.heading(2, "The sweep")
    shows = "Accuracy against remaining share, a panel a network."
    page.picture("dst-sweep", shows, pictures.sweep(reader))
    _told(page, *(sweep(reader, task) for task in reader.tasks))
    page.say(
        "*Remaining* counts entries of masks that are kept, of all masked weights. *Came back* "
        "is the share of what is kept at the end that was pruned after an earlier epoch. "
        "*Resets* counts matrices whose thresholds the reset rule took back to 0. *ms a step* "
        "is time of one core."
    )
    page.heading(2, "Layers and thresholds")
    page.picture(
        "dst-layers", "What is kept of each matrix, against alpha.", pictures.layers(reader)
    )
    _told(page, *(layers(reader, task) for task in reader.tasks))
    shows = "Remaining share and thresholds while training."
    page.picture("dst-time", shows, pictures.time(reader))
    page.heading(2, "Variants")
    _told(page, variants(reader))
    page.heading(2, "N:M masks by thresholds")
    page.say(
        "*In training*: at every step, each layer's mask is the one of at most N of every M, "
        "along rows and columns, that keeps the largest sum of |W| - t, proven; N is the "
        "smallest that has room for the share that the layer's thresholds keep, so it is every "
        "layer's own and falls as they rise. *After training*: masks by thresholds alone, "
        "cut to such patterns at the end. *Uniform*: the same exact N:M masks by magnitude "
        "for every layer, renewed at every step, without thresholds. *Room* is N/M of all "
        "weights together: what a compressed format would store."
    )
    shows = "N:M masks: accuracy against remaining share and room."
    page.picture("dst-masks", shows, pictures.masks(reader))
    _told(page, masks(reader))
    _published(page)
    page.heading(2, "Limits")
    page.bullets(LIMITS)


LIMITS = (
    "Digits of 8 x 8 pixels are easy, and the networks far too large for them: shares "
    "this small say little about other tasks.",
    "1200 digits are learned from: an epoch has 19 steps where MNIST's has 938. Alpha "
    "and the number of steps go together, so alphas here are not those of the paper.",
    "Accuracy is that of the last epoch on 597 held-out digits; a digit is 0.17 points.",
)


def _published(page: Page) -> None:
    page.heading(2, "The paper's own figures")
    page.say(
        "These are **theirs**, on the real data, as printed (accuracies are the best on the "
        "test set over all epochs; means of 5 runs). We have not repeated them: the data is "
        "not at hand. The command beside each row trains that network with that setting on the "
        "data in its original files. Where the paper gives no alpha for a row, the command is "
        "a place to start from: with more alpha less remains. For ImageNet neither paper nor "
        "code gives settings; ours are those usual for ResNet-50."
    )
    _told(page, published())


def _in_short(reader: Reader) -> list[str]:
    lines = []
    best = reader.sparsest(MAIN)
    if best is None:
        lines.append(f"{MAIN}: no alpha of the sweep stays within a point of dense.")
    else:
        left, less = reader.mean(MAIN, best, "remaining"), reader.less_dense(MAIN, best)
        lines.append(
            f"{MAIN}, {best}: {100 * (1 - left.mean):.1f} % of the weights are gone; the "
            f"accuracy less the dense networks' is {less.write(100, sign=True)} points."
        )
    ranks = ", ".join(f"{task} {reader.ranks(task):.2f}" for task in reader.tasks)
    lines.append(
        "Spearman's rank correlation of alpha and the remaining share, over all runs of a "
        f"sweep: {ranks}."
    )
    back = max(reader.mean(MAIN, arm, "back").mean for arm in reader.swept(MAIN).values())
    lines.append(
        f"Pruned weights come back: of what {MAIN} keeps at the end, up to {100 * back:.1f} % "
        "had been pruned after some earlier epoch."
    )
    swept = reader.swept(MAIN).values()
    lines += [
        _masks_in_short(reader, plain, TOLD)
        for plain in swept
        if f"{plain}, N:{TOLD}" in reader.arms(MAIN)
    ]
    return [*lines, _uniform_in_short(reader)]


def _uniform_in_short(reader: Reader) -> str:
    """Hold the same pattern everywhere against the thresholds that keep about as much."""
    arms = reader.arms(MAIN)
    chosen = [arm for arm in arms if ", N:" in arm]
    parts = []
    for uniform in (arm for arm in arms if arm.startswith("uniform")):
        arm = reader.nearest(MAIN, uniform, chosen)
        left, other = (reader.mean(MAIN, one, "remaining").mean for one in (arm, uniform))
        if max(left / other, other / left) > ALIKE:
            continue
        less = reader.less(MAIN, arm, uniform)
        verdict = "no clear difference"
        if less.sure:
            verdict = "thresholds are better" if less.mean > 0 else "thresholds are worse"
        parts.append(
            f"{arm} ({100 * left:.1f} % kept, room for "
            f"{100 * reader.mean(MAIN, arm, 'stored').mean:.1f} %) less {uniform} "
            f"{less.write(100, sign=True)} points, {verdict}"
        )
    return (
        "Is it worth it, against the same exact N:M masks by magnitude in every layer, "
        "without thresholds or alpha? Accuracy where about as much is kept: "
        f"{'; '.join(parts)}."
    )


def _masks_in_short(reader: Reader, plain: str, m: int) -> str:
    """Compare masks of one alpha: chosen in training, cut after it, and by no pattern."""
    arm = f"{plain}, N:{m}"
    left, cut, alone = (
        reader.mean(MAIN, arm, "remaining"),
        reader.cut(MAIN, plain, str(m), "remaining"),
        reader.mean(MAIN, plain, "remaining"),
    )
    less, cut_less, alone_less = (
        reader.less_dense(MAIN, arm),
        reader.less_dense(MAIN, plain, str(m)),
        reader.less_dense(MAIN, plain),
    )
    times = [reader.mean(MAIN, a, "milliseconds").mean for a in (arm, plain, "dense")]
    return (
        f"{MAIN}, {plain}, transposable N:{m} masks chosen by thresholds: {left.write(100)} % "
        f"remain at {less.write(100, sign=True)} points from dense; cut only after training "
        f"{cut.write(100)} % at {cut_less.write(100, sign=True)}; by thresholds alone "
        f"{alone.write(100)} % at {alone_less.write(100, sign=True)}. A step takes "
        f"{times[0]:.1f} ms, by thresholds alone {times[1]:.1f}, dense {times[2]:.1f}."
    )


def _done(page: Page, reader: Reader) -> None:
    page.heading(2, "What was done")
    page.say(
        "LeNet-300-100 and a LeNet-5 (padded, as 5 x 5 kernels leave nothing of 8 x 8 pixels) "
        "see images; LSTM-a and LSTM-b, of 128 and 256 hidden units in each of two layers, "
        "read them row by row. Optimizers, rates and batches are the paper's; LSTMs have a "
        f"dense output layer, as there. {reader.found['seeds']} seeds: a seed settles the "
        "first weights, the 597 of 1797 digits that are held out, and the batches, for all "
        "arms alike. ± is a 95 % interval of the mean."
    )
    table = Table("What was done", "network | optimizer | rate | batch | epochs | steps", words=2)
    for name, task in reader.tasks.items():
        steps = task["epochs"] * -(-LEARNED // task["batch"])
        optimizer = task["optimizer"].upper().replace("ADAM", "Adam")
        counts = (str(count) for count in (task["batch"], task["epochs"], steps))
        table.add(name, optimizer, f"{task['rate']:g}", *counts)
    page.table(table)
    page.code("", "make bench-dst")
    page.say(
        "prints these tables and writes this page; interrupted, it goes on. Where: "
        f"{plain(where(reader.found))}."
    )


def _told(page: Page, *tables: Table) -> None:
    """Add tables below their titles."""
    for table in tables:
        page.say(f"{table.title}:")
        page.table(table)
