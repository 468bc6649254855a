"""The page: what was done, every figure, and what they say."""

from __future__ import annotations

from collections.abc import Iterator

from ...pages.page import Page
from ...pages.words import listing, plain
from ...step_cost.tables import Cost, loops, rivals, where_it_goes
from . import pictures
from .arms import DECAY, PLAIN, WINDOW
from .findings import Reader
from .questions import QUESTIONS, written
from .reading import in_short, tally
from .tables import every_arm, headlines, question

__all__ = ["fill"]

NETWORKS = {
    "mlp": "MLP 64-{width}-{width}-10 on scikit-learn's digits, {learned} of 1797 learned, "
    "moved by up to a pixel; both hidden layers masked",
    "cnn": "three convolutions of {width}, {width} and {double} channels and a hidden layer "
    "of {double} on the same digits; all masked but the first convolution and the last layer",
    "transformer": "{blocks} blocks of width {width} over characters of Python's help() "
    "topics, {length} at a time; the blocks' linear layers masked",
}
OPTIMIZERS = {"sgd": "SGD, momentum 0.9", "adamw": "AdamW, betas 0.9 and 0.95"}


def fill(page: Page, reader: Reader, step: Cost | None = None) -> None:
    """Write what was done, every figure, and what they say onto a page.

    Parameters
    ----------
    page : Page
    reader : Reader
    step : dict, optional
        What `step_cost` measured, for a section of its own.
    """
    page.heading(1, "What exact masks buy in training")
    page.say(
        "Small networks, trained dense and with masks of every kind by "
        "`masksolve.torch`: plain and transposable, exact and approximate, renewed at every "
        f"step and every {WINDOW}. Every figure and every verdict on this page is computed "
        "from one file of results."
    )
    page.heading(2, "In short")
    page.say("By held-out loss; better, worse: the 95 % interval over seeds leaves 0 out.")
    page.bullets(in_short(reader))
    page.say(
        "The figures behind these words: differences in loss and, in brackets, in points of "
        "accuracy."
    )
    page.table(headlines(reader))
    _done(page, reader)
    page.heading(2, "What came out")
    page.picture("training-curves", "Held-out loss over steps", pictures.curves(reader))
    shows = "Final loss of every arm less dense"
    page.picture("training-differences", shows, pictures.differences(reader))
    for one in QUESTIONS.values():
        table = question(reader, one)
        if table.rows:
            page.heading(3, one.title)
            page.say(tally(reader, one.name), "In bold: beyond its interval.")
            page.table(table)
    page.heading(2, "How the masks move")
    page.picture("training-flips", "Flips over steps", pictures.flips(reader))
    if step is not None:
        _what_it_costs(page, step)
    page.heading(2, "Every arm")
    page.say(
        "Loss in nats, held out. Kept: share of the masked layers' sum of |w| at the end. "
        "Density: share of their weights that is kept; below 50 % lines end short, as greedy's "
        "and the 2-approximation's do. Flips: share of the masks' entries that change in a "
        f"renewal; moved: that differ from {WINDOW} steps before; both are means over the run."
    )
    for task in reader.tasks:
        page.heading(3, task)
        page.table(every_arm(reader, task))
    page.heading(2, "Limits")
    page.bullets(_limits(reader))


def _done(page: Page, reader: Reader) -> None:
    found = reader.found
    machine, runs = found["machine"], found["runs"]
    page.heading(2, "What was done")
    page.bullets(_task(reader, task) for task in reader.tasks)
    page.say(
        f"{len(runs)} runs of {len(reader.arms)} arms. Of one seed all arms of a task get the "
        "same first weights, the same held-out data and the same batches, so differences are "
        "taken seed by seed; intervals are Student's t over seeds, and a mean over several "
        "arms is first taken within each seed. Held-out figures are those of the masks that "
        "the last step was made with. Masks are of |w|; `exact`, `greedy` and `two_approx` are "
        f"masksolve's methods; all patterns but {written(PLAIN)} are transposable. SR-STE's "
        f"decay is {DECAY:g}, as published, where nothing else is said."
    )
    page.say(
        "The rate of learning climbs for 40 steps and falls to 0 along a cosine. It is the "
        "best of four for dense training, on other seeds, for all arms of a task alike; but "
        "for the CNN it is half of that, since in a first run at the full rate many networks "
        "whose masks are renewed seldom diverged (some arms still learn at twice the rate)."
    )
    packages = listing(f"{plain(k)} {plain(v)}" for k, v in found["versions"].items())
    page.say(
        f"On {plain(machine['cpu'])}, Python {plain(machine['python_version'])}, {packages}. "
        "The same again, and the page from the figures of our run:"
    )
    page.code(
        "sh",
        "make bench-training\n"
        ".venv/bin/python -m bench.experiments training --read docs/results/training.json \\\n"
        "    --step docs/results/step.json",
    )


def _what_it_costs(page: Page, step: Cost) -> None:
    table = loops(step)
    page.heading(2, "What renewing costs")
    page.say(
        "The same transformer, larger, as one would train it: a step with masks against the "
        f"dense step of the same round, all loops in turn ({table.title}). Ratios are medians "
        "over rounds, with their quartiles, and the mean; the last column is the renewals "
        "alone, in per cent of dense steps."
    )
    page.table(table)
    page.say(where_it_goes(step))
    page.say("The same masks by the 2-approximation as published and by OR-Tools, in the same run:")
    page.table(rivals(step))
    machine = step["machine"]
    page.say(f"On {machine['cores']} cores of {plain(machine['cpu'])}: `make bench-step`.")


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
    few, many = (of(task["steps"] for task in tasks) for of in (min, max))
    fewest, most = (of(task["seeds"] for task in tasks) for of in (min, max))
    yield "Networks of some ten thousand weights, small data, one schedule: others may differ."
    yield (
        f"{few} to {many} steps. Every {WINDOW} steps is {few // WINDOW} to {many // WINDOW} "
        "renewals in all, while weights move fast. In trainings of 100,000 steps they move far "
        "less between two renewals."
    )
    yield (
        "One rate of learning for all arms; the table on slower and faster learning tells "
        "how much of the result hangs on it."
    )
    yield (
        f"{fewest} to {most} seeds: what is not told apart here may still differ by as much "
        "as the interval is wide. With so many comparisons some stand out by chance."
    )
    yield "The text differs a little between versions of Python, and so do its figures."
