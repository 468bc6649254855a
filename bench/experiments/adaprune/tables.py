"""The experiment's tables."""

from __future__ import annotations

from collections.abc import Iterator

from ...pages.table import Table
from .findings import Reader
from .published import CONFIGURATIONS, FIGURES
from .sizes import ABSORBED, ADAM, ADAPRUNE, MAIN, ONE_SHOT, RENEWED, Arm

__all__ = ["agreement", "configurations", "cosines", "figures", "layers", "masks", "ways"]

THREE = (ONE_SHOT, ABSORBED, ADAPRUNE)
KINDS = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention's output",
    "intermediate.dense": "feed-forward, first",
    "output.dense": "feed-forward, second",
}
"""By the end of their names; the first that fits."""


def rows(reader: Reader) -> Iterator[str]:
    """Go through the patterns, each transposable and plain."""
    for pattern in reader.patterns:
        yield from (pattern, f"{pattern},plain")


def words(pattern: str) -> tuple[str, str]:
    """Say what a pattern is."""
    name, _, plain = pattern.partition(",")
    return name, plain or "transposable"


def cosines(reader: Reader) -> Table:
    """Lay out cosines by pattern, and what was recovered."""
    head = (
        "pattern | masks | one-shot | absorbed | AdaPrune | masks renewed | lowest 5 %: one-shot | "
        "lowest 5 %: AdaPrune | recovered, %: AdaPrune | recovered, %: renewed"
    )
    table = Table("Cosine to the dense embedding", head, words=2)
    for pattern in rows(reader):
        three, again = [Arm(name, pattern) for name in THREE], Arm(RENEWED, pattern)
        done = reader.has(again)
        table.add(
            *words(pattern),
            *(_cosine(reader, arm) for arm in three),
            _cosine(reader, again) if done else "-",
            *(reader.mean(arm, "lowest").write(places=2) for arm in (three[0], three[2])),
            reader.recovered(three[2]).write(100, 1),
            reader.recovered(again).write(100, 1) if done else "-",
        )
    return table


def agreement(reader: Reader) -> Table:
    """Lay out how far rankings agree with the dense encoder's."""
    measures = ("Spearman", "10 nearest, %")
    head = ("pattern", "masks", *(f"{what}: {name}" for what in measures for name in THREE))
    table = Table("Rankings of held-out sentences, against the dense encoder's", head, words=2)
    for pattern in rows(reader):
        arms = [Arm(name, pattern) for name in THREE]
        ranks = (reader.mean(arm, "spearman").write(places=3) for arm in arms)
        table.add(*words(pattern), *ranks, *(_nearest(reader, arm) for arm in arms))
    return table


def _cosine(reader: Reader, arm: Arm) -> str:
    return reader.mean(arm, "cosine").write(places=3)


def _nearest(reader: Reader, arm: Arm) -> str:
    return reader.mean(arm, "nearest").write(100, 1)


def masks(reader: Reader) -> Table:
    """Lay out exact masks against greedy ones; what is clearly better is bold."""
    head = (
        "pattern | recovery | kept by greedy, % | magnitude: exact, % | magnitude: greedy, % | "
        "cosine: exact | cosine: greedy | avoided, %: cosine | avoided, %: 10 nearest"
    )
    table = Table("Exact masks against greedy ones, transposable", head, words=2)
    for pattern in reader.patterns:
        for name in (ONE_SHOT, ADAPRUNE):
            exact, greedy = Arm(name, pattern), Arm(name, pattern, "greedy")
            shares = [(greedy, "kept"), (exact, "magnitude"), (greedy, "magnitude")]
            cells = [f"{100 * reader.mean(arm, what).mean:.2f}" for arm, what in shares]
            cells += [_cosine(reader, arm) for arm in (exact, greedy)]
            for what in ("cosine", "nearest"):
                text = reader.avoided(exact, greedy, what).write(100, 1)
                less = reader.less(exact, greedy, what)
                cells.append(f"**{text}**" if less.sure and less.mean > 0 else text)
            table.add(pattern, name, *cells)
    return table


def ways(reader: Reader) -> Table:
    """Lay out what every way to recover gives, and what it costs."""
    head = (
        "recovery | cosine | lowest 5 % | Spearman | 10 nearest, % | recovered, % | "
        "magnitude kept, % | seconds of one core"
    )
    table = Table(f"Transposable {MAIN}, in every way", head)
    for name in (ONE_SHOT, ABSORBED, ADAM, ADAPRUNE, RENEWED):
        arm = Arm(name, MAIN)
        alike = (reader.mean(arm, k).write(places=3) for k in ("cosine", "lowest", "spearman"))
        recovered = "-" if name == ONE_SHOT else reader.recovered(arm).write(100, 1)
        magnitude, seconds = (reader.mean(arm, k).mean for k in ("magnitude", "seconds"))
        costs = f"{100 * magnitude:.2f}", f"{seconds:.1f}"
        table.add(name, *alike, _nearest(reader, arm), recovered, *costs)
    return table


def kind(name: str) -> str:
    """Say what a weight of the encoder is for."""
    return next((word for end, word in KINDS.items() if name.endswith(f"{end}.weight")), name)


def layers(reader: Reader) -> Table:
    """Lay out errors of layers by what they are for: means over layers and seeds."""
    head = "weights | layers | one-shot | absorbed | AdaPrune"
    table = Table(f"Relative error of layers' outputs on calibration, %, transposable {MAIN}", head)
    found = reader.layers(MAIN)
    for word in KINDS.values():
        some = [errors for name, errors in found.items() if kind(name) == word]
        means = (sum(errors[k] for errors in some) / len(some) for k in range(3))
        table.add(word, str(len(some)), *(f"{100 * mean:.2f}" for mean in means))
    return table


def configurations() -> Table:
    """Lay out what the authors' code does, with the commands for the real data."""
    head = "network | pattern | the authors' script | command"
    rows = (f"{c.start} | {c.pattern} | `{c.script}` | `{c.command}`" for c in CONFIGURATIONS)
    return Table("The authors' configurations, for ImageNet", head, 4, rows)


def figures() -> Table:
    """Lay out what others measured of AdaPrune."""
    head = "network | quantity | dense | 1/2 of the operations | 1/3 | 1/4"
    title = "AdaPrune without patterns, as Frantar et al. (2022) measured it, %; not ours"
    rows = (
        (one.network, one.quantity, *(f"{value:.2f}" for value in (one.dense, *one.pruned)))
        for one in FIGURES
    )
    return Table(title, head, 2, rows)
