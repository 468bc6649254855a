"""The page: what was done, every figure, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..experiments.page import write
from ..report.words import listing, plain
from .arms import DECAY, PLAIN
from .cost import Cost, loops, rivals, where_it_goes
from .findings import Reader
from .questions import QUESTIONS, written
from .reading import in_short, tally
from .records import WINDOW, Findings
from .tables import every_arm, headlines, question

__all__ = ["blocks", "write_page"]

NETWORKS = {
    "mlp": "MLP 64-{width}-{width}-10 on scikit-learn's digits, {learned} of 1797 learned, "
    "moved by up to a pixel; both hidden layers masked",
    "cnn": "three convolutions of {width}, {width} and {double} channels and a hidden layer "
    "of {double} on the same digits; all masked but the first convolution and the last layer",
    "transformer": "{blocks} blocks of width {width} over characters of Python's help() "
    "topics, {length} at a time; the blocks' linear layers masked",
}
OPTIMIZERS = {"sgd": "SGD, momentum 0.9", "adamw": "AdamW, betas 0.9 and 0.95"}


def write_page(
    found: Findings, path: Path, pictures: Path | None = None, step: Cost | None = None
) -> list[Path]:
    """Write the page and its pictures.

    Parameters
    ----------
    found : Findings
    path : Path
        Of the page, ``....md``.
    pictures : Path, optional
        Their folder; default: that of the page.
    step : dict, optional
        What `step_cost` measured, for a section of its own.

    Returns
    -------
    list of Path
        All that was written.
    """
    from .picture import PICTURES  # matplotlib takes a while, and the words do without

    reader = Reader(found)
    drawn = {f"training-{name}.png": partial(draw, reader) for name, draw in PICTURES.items()}
    return write(path, pictures, drawn, partial(blocks, reader, step=step))


def blocks(reader: Reader, pictures: str, step: Cost | None = None) -> Iterator[str]:
    """Write the page's paragraphs; the pictures lie in a folder, relative to it."""
    yield "# What exact masks buy in training"
    yield (
        "Small networks, trained dense and with masks of every kind by "
        "`masksolve.torch`: plain and transposable, exact and approximate, renewed at every "
        f"step and every {WINDOW}. Every figure and every verdict on this page is computed "
        "from one file of results."
    )
    yield "## In short"
    yield "By held-out loss; better, worse: the 95 % interval over seeds leaves 0 out."
    yield "\n".join(f"- {sentence}" for sentence in in_short(reader))
    yield (
        "The figures behind these words: differences in loss and, in brackets, in points of "
        "accuracy."
    )
    yield headlines(reader).markdown()
    yield from _what_was_done(reader)
    yield "## What came out"
    yield f"![Held-out loss over steps]({pictures}/training-curves.png)"
    yield f"![Final loss of every arm less dense]({pictures}/training-differences.png)"
    for one in QUESTIONS.values():
        table = question(reader, one)
        if table.rows:
            yield f"### {one.title}"
            yield f"{tally(reader, one.name)} In bold: beyond its interval.".strip()
            yield table.markdown()
    yield "## How the masks move"
    yield f"![Flips over steps]({pictures}/training-flips.png)"
    if step is not None:
        yield from _what_it_costs(step)
    yield "## Every arm"
    yield (
        "Loss in nats, held out. Kept: share of the masked layers' sum of |w| at the end. "
        "Density: share of their weights that is kept; below 50 % lines end short, as greedy's "
        "and the 2-approximation's do. Flips: share of the masks' entries that change in a "
        f"renewal; moved: that differ from {WINDOW} steps before; both are means over the run."
    )
    for task in reader.tasks:
        yield f"### {task}"
        yield every_arm(reader, task).markdown()
    yield from _limits(reader)


def _what_was_done(reader: Reader) -> Iterator[str]:
    found = reader.found
    machine, runs = found["machine"], found["runs"]
    yield "## What was done"
    yield "\n".join(f"- {_task(reader, task)}" for task in reader.tasks)
    yield (
        f"{len(runs)} runs of {len(reader.arms)} arms. Of one seed all arms of a task get the "
        "same first weights, the same held-out data and the same batches, so differences are "
        "taken seed by seed; intervals are Student's t over seeds, and a mean over several "
        "arms is first taken within each seed. Held-out figures are those of the masks that "
        "the last step was made with. Masks are of |w|; `exact`, `greedy` and `two_approx` are "
        f"masksolve's methods; all patterns but {written(PLAIN)} are transposable. SR-STE's "
        f"decay is {DECAY:g}, as published, where nothing else is said."
    )
    yield (
        "The rate of learning climbs for 40 steps and falls to 0 along a cosine. It is the "
        "best of four for dense training, on other seeds, for all arms of a task alike; but "
        "for the CNN it is half of that, since in a first run at the full rate many networks "
        "whose masks are renewed seldom diverged (some arms still learn at twice the rate)."
    )
    yield (
        f"On {plain(machine['cpu'])}, Python {plain(machine['python_version'])}, "
        + listing(f"{plain(k)} {plain(v)}" for k, v in found["versions"].items())
        + ". The same again, and the page from the figures of our run:"
    )
    yield (
        "```sh\nmake bench-training\n"
        ".venv/bin/python -m masksolve.bench.sparse_training --read "
        "docs/benchmarks/training.json \\\n    --step docs/benchmarks/step.json "
        "--page docs/training-results.md --pictures docs/benchmarks\n```"
    )


def _what_it_costs(step: Cost) -> Iterator[str]:
    table = loops(step)
    yield "## What renewing costs"
    yield (
        "The same transformer, larger, as one would train it: a step with masks against the "
        f"dense step of the same round, all loops in turn ({table.title}). Ratios are medians "
        "over rounds, with their quartiles, and the mean; the last column is the renewals "
        "alone, in per cent of dense steps."
    )
    yield table.markdown()
    yield where_it_goes(step)
    yield ("The same masks by the 2-approximation as published and by OR-Tools, in the same run:")
    yield rivals(step).markdown()
    machine = step["machine"]
    yield (f"On {machine['cores']} cores of {plain(machine['cpu'])}: `make bench-step`.")


def _task(reader: Reader, task: str) -> str:
    settings = reader.settings(task)
    numbers = {**settings, **settings["data"], **settings["network"]}
    network = NETWORKS[task].format(**numbers, double=2 * settings["width"])
    return (
        f"**{task}**: {network}. {settings['steps']} steps of {settings['batch']}, "
        f"{OPTIMIZERS[settings['optimizer']]}, rate {settings['rate']:g}, weight decay "
        f"{settings['decay']:g}; {settings['seeds']} seeds."
    )


def _limits(reader: Reader) -> Iterator[str]:
    tasks = reader.found["tasks"]
    few, *_, many = sorted(task["steps"] for task in tasks)
    fewest, *_, most = sorted(task["seeds"] for task in tasks)
    yield "## Limits"
    yield "\n".join(
        (
            "- Networks of some ten thousand weights, small data, one schedule: others may differ.",
            f"- {few} to {many} steps. Every {WINDOW} steps is {few // WINDOW} to {many // WINDOW} "
            "renewals in all, while weights move fast. In trainings of 100,000 steps they move far "
            "less between two renewals.",
            "- One rate of learning for all arms; the table on slower and faster learning tells "
            "how much of the result hangs on it.",
            f"- {fewest} to {most} seeds: what is not told apart here may still differ by as much "
            "as the interval is wide. With so many comparisons some stand out by chance.",
            "- The text differs a little between versions of Python, and so do its figures.",
        )
    )
