"""The measured part of docs/scale.md: rates, and what they mean for models of known sizes.

``python -m masksolve.bench.scale.page bench-output/scale.json`` keeps the figures as
docs/results/scale.json and writes them into the page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..pages.table import Table

__all__ = ["fill", "measured"]

PAGE = Path("docs/scale.md")
FIGURES = Path("docs/results/scale.json")
BEGIN = "<!-- written by masksolve.bench.scale.page -->\n"
END = "<!-- end of what it wrote -->\n"
MODELS = (8e9, 70e9, 405e9)
"""Weights of the models to do the arithmetic for."""
WIDTH = 2
"""Bytes of a weight in bfloat16."""
CLUSTER = 16


def fill(page: str, figures: dict[str, Any]) -> str:
    """Put what the figures say between the marks of a page."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError("the page has no marks to write between")
    return before + BEGIN + "\n" + measured(figures) + "\n" + END + after


def measured(figures: dict[str, Any]) -> str:
    """Write the figures as text and tables in Markdown."""
    m = int(figures["options"]["pattern"].partition(":")[2].partition(",")[0])
    parts = (_setting(figures), _runs(figures), *_workers(figures), _arithmetic(figures, m))
    return "\n\n".join(parts) + "\n"


def _setting(figures: dict[str, Any]) -> str:
    where, rates, options = figures["machine"], figures["rates"], figures["options"]
    return (
        f"A checkpoint of {_size(figures['bytes'])} in bfloat16, {options['pattern']}, on "
        f"{where['cores']} cores of {where.get('cpu', 'an unnamed processor')}, commit "
        f"{where['commit']}. There the engine solves {_rate(rates['engine'])} of weights in "
        f"memory, the disk reads {_rate(rates['read'])} and copies {_rate(rates['copy'])}. "
        f"The command ran with `--memory {options['memory']}`:"
    )


def _runs(figures: dict[str, Any]) -> str:
    killed = {row["what"]: row for row in figures["kills"]}
    rows = (
        f"{row['what']} | {row['seconds']:.1f} | {_rate(row['rate'])} | "
        f"{_share(row['share'], row['shares'])} | "
        f"{_share(row['share_of_both'], row['shares_of_both'])} | {_size(row['peak_memory'])} | "
        f"{len(killed[row['what']]['killed_after'])} | {_files(killed[row['what']])}"
        for row in figures["runs"]
    )
    head = (
        "output | seconds, start included | rate | share of the lower rate | "
        "share of both at once | memory at its peak | killed and resumed | files then"
    )
    return Table("", head, rows=rows).markdown() + (
        "\n\nShares are of what the same minute allowed: the median of the runs, and from the "
        "lowest to the highest. The lower rate is the engine's or the disk's, at reading "
        "(masks) or copying (masked weights). Both at once is what is left of it when the same "
        "cores do both: engine and disk each take some of their time for every byte."
    )


def _workers(figures: dict[str, Any]) -> Iterable[str]:
    if "workers" not in figures:
        return
    rows = (
        f"{row['what']} | {row['pattern']} | {row['seconds']:.1f} | {_rate(row['rate'])} | "
        f"{row['times']:.2f} | {_files(row)}"
        for row in figures["workers"]
    )
    head = "`--workers` | pattern | seconds, start included | rate | times one | files"
    yield (
        "The same by Dask, masks alone, workers of one thread each; where one was killed, that "
        "was with SIGKILL in the middle. They share the disk, and the cores with the "
        "scheduler; in 4:8 a worker of one thread reads nearly as long as it solves:"
    )
    yield Table("", head, rows=rows).markdown()


def _arithmetic(figures: dict[str, Any], m: int) -> str:
    rates = {row["what"]: row["rate"] for row in figures["runs"]}
    rows = []
    for weights in MODELS:
        nbytes = weights * WIDTH
        masks, masked = (nbytes / rates[what] for what in ("masks", "masked weights"))
        rows.append(
            f"{weights / 1e9:.0f} billion | {_size(nbytes)} | "
            f"{weights / m**2 / 1e9:.3g} billion | {_size(weights / 8)} | {_time(masks)} | "
            f"{_time(masked)} | {_time(masks / CLUSTER)}"
        )
    head = (
        f"weights | in bfloat16 | tiles of {m} x {m} | masks | time for masks | "
        f"for masked weights | for masks, {CLUSTER} such machines"
    )
    return (
        "At these rates, for models of other sizes, as if every weight were in a matrix; the "
        "last column divides, and holds where the disk they share is as fast for all:\n\n"
        + Table("", head, rows=rows).markdown()
    )


def _share(share: float, all_of_them: Sequence[float]) -> str:
    return f"{share:.0%} ({min(all_of_them):.0%} to {max(all_of_them):.0%})"


def _files(row: dict[str, Any]) -> str:
    return "identical" if row["identical"] else "different"


def _size(nbytes: float) -> str:
    return f"{nbytes / 1e9:.3g} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"


def _rate(rate: float) -> str:
    return f"{rate / 1e6:.0f} MB/s"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def main() -> None:
    """Keep the figures and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path, nargs="?", default=FIGURES)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    text = options.figures.read_text()
    page = fill(options.page.read_text(), json.loads(text))
    FIGURES.write_text(text)
    options.page.write_text(page)
    print(f"wrote {FIGURES} and {options.page}")


if __name__ == "__main__":
    main()
