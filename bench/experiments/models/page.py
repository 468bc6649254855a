"""The page: how often both ways agree, what each masks, and why not where not."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from ...pages.findings import where
from ...pages.page import Page
from ...pages.words import listing, plain
from .picture import shares
from .reader import QUESTIONS, Reader
from .tables import architectures, dense, kinds, reasons, unmade

__all__ = ["fill"]


def fill(page: Page, reader: Reader) -> None:
    """Write what was done, what was found and every figure onto a page."""
    page.heading(1, "Which weights, architecture by architecture")
    page.say(
        "Every architecture of transformers that can be made small from its configuration, "
        "masked in both ways: by its modules, with `masksolve.torch.sparsify`, and by its "
        "file, with `masksolve solve --apply`. Every figure here is computed from one file "
        "of results."
    )
    page.heading(2, "In short")
    page.bullets(_in_short(reader))
    page.picture("models-shares", "Masked share of all parameters by kind", shares(reader))
    page.table(kinds(reader))
    page.heading(2, "Why not")
    page.say(
        "Each no has a number that is explained here. A reason that a way gives itself "
        "is quoted; sizes are left out of it."
    )
    page.table(reasons(reader))
    page.heading(2, "What was done")
    page.bullets(DONE)
    page.say(
        "`make bench-models`, or `python -m bench.experiments models`, does it all. Run on "
        f"{plain(where(reader.found))}."
    )
    page.heading(2, "Every architecture")
    page.fold(f"{len(reader.compared)} types, one a row", architectures(reader))
    page.fold("What the modules leave dense, and why", dense(reader))
    page.fold(f"{len(reader.unmade)} types that were not compared, and why", unmade(reader))


DONE = (
    "A configuration's sizes become small: layers, widths, heads, experts, words. Where that "
    "makes no model, only the counts do (short), or nothing (as it is). Matrices get random "
    "weights of one seed, in float32.",
    "The model is saved, loaded and sparsified; its file is solved with the masked weights set "
    "to zero, and loaded by `from_pretrained`.",
    "Same: in memory, both ways set the same weights to zero, all others to none. Loads: no "
    "parameter is missing or of another shape. Obeys: every parameter with new zeros holds the "
    "pattern along the axes of its product, as the module way knows them.",
    "Shares are those of small models. Embeddings weigh more there than in large ones.",
)


def _in_short(reader: Reader) -> Iterator[str]:
    runs, total = reader.compared, len(reader.found["runs"])
    experts = sum(run["experts"] for run in runs)
    yield (
        f"{len(runs)} of {total} types of transformers {reader.found['versions']['transformers']} "
        f"were compared, {experts} of them with experts."
    )
    for pattern in reader.patterns:
        parts = [f"{what}: {reader.yes(question, pattern)}" for question, what in QUESTIONS.items()]
        found = [run["outcomes"][pattern] for run in runs]
        module, file = (
            100 * median(one[f"{way}_share"] for one in found)  # type: ignore[literal-required]
            for way in ("module", "file")
        )
        yield (
            f"{pattern}, of {len(runs)}: {listing(parts)}. The median masked share of all "
            f"parameters is {module:.0f} % by the modules and {file:.0f} % by the file."
        )
    explained = len(reader.sentences())
    unexplained = reader.unexplained()
    yield (
        f"Not explained: {plain(listing(unexplained))}."
        if unexplained
        else f"Every no is explained, by {explained} reasons in all."
    )
