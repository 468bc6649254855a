"""Masks for a real model: proven optima, and what the fast heuristics lose.

Solves 2:4, 4:8 and 8:16 for all 36 linear layers of a sentence encoder with exact,
greedy and two_approx; prints a table, writes the masks and draws a picture.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

import masksolve as ms

from .encoder import encoder_layers

PATTERNS = ("2:4", "4:8", "8:16")
METHODS = ("exact", "greedy", "two_approx")
FOLDER = Path("demo-output")

Layers = dict[str, NDArray[Any]]


@dataclass
class Run:
    """One method on one pattern, all layers."""

    results: dict[str, ms.MaskResult]
    repaired: float
    seconds: float

    @property
    def kept(self) -> float:
        """Kept score of all layers."""
        return sum(r.objective for r in self.results.values())

    @property
    def short(self) -> float:
        """Share of tiles with a short line."""
        tiles = sum(r.stats["tiles"] for r in self.results.values())
        return float(sum(r.stats["short_tiles"] for r in self.results.values()) / tiles)


def main() -> None:
    """Run the demo."""
    console = Console()
    layers = encoder_layers()
    total = float(sum(np.abs(w, dtype=np.float64).sum() for w in layers.values()))
    weights = sum(w.size for w in layers.values())
    console.print(f"{len(layers)} linear layers of all-MiniLM-L6-v2, {weights:,} weights")

    started = time.perf_counter()
    piece = next(iter(layers.values()))[:64, :64]
    for pattern in PATTERNS:
        for method in METHODS:
            ms.repair(piece, ms.solve(piece, pattern, method=method).mask, pattern)
    console.print(f"compiled (or loaded from cache) in {time.perf_counter() - started:.1f} s")

    runs = {
        (pattern, method): run(layers, pattern, method)
        for pattern in track(PATTERNS, "solving", console=console, transient=True)
        for method in METHODS
    }
    console.print(table(runs, total))

    FOLDER.mkdir(exist_ok=True)
    for pattern in PATTERNS:
        path = FOLDER / f"masks-{pattern.replace(':', '-')}.safetensors"
        ms.save_masks(path, runs[pattern, "exact"].results)
        console.print(f"wrote {path} ({path.stat().st_size:,} bytes)")

    from .demo_picture import draw  # matplotlib: only now, the table comes first

    path = FOLDER / "encoder.png"
    draw(layers, runs, path)
    console.print(f"drew {path}")


def run(layers: Layers, pattern: str, method: str) -> Run:
    """Solve every layer; repair too, to show what filling the short lines gives."""
    started = time.perf_counter()
    results = {name: ms.solve(w, pattern, method=method) for name, w in layers.items()}
    seconds = time.perf_counter() - started
    repaired = sum(
        ms.repair(w, results[name].mask, pattern).objective for name, w in layers.items()
    )
    return Run(results, repaired, seconds)


def table(runs: dict[tuple[str, str], Run], total: float) -> Table:
    """Lay the figures out."""
    found = Table(
        title="Kept score: the sum of |w| under the mask. Loss: against the proven optimum.",
        title_justify="left",
        caption_justify="left",
    )
    lines = []
    for heading in ("pattern", "method"):
        found.add_column(heading)
    figures = "kept\n%|loss\n%|proven\ngap|short\ntiles %|loss %,\nfilled up|time\ns"
    for heading in figures.split("|"):
        found.add_column(heading, justify="right")
    for pattern in PATTERNS:
        best = runs[pattern, "exact"]
        bound = sum(r.upper_bound or 0.0 for r in best.results.values())
        for method in METHODS:
            r = runs[pattern, method]
            # The exact result's bound holds for every mask of these weights.
            gap = sum(x.gap or 0.0 for x in r.results.values()) if r is best else bound - r.kept
            kept, loss, filled = r.kept / total, 1 - r.kept / best.kept, 1 - r.repaired / best.kept
            cells = f"{100 * kept:.2f}|{100 * loss:.2f}|{gap:.2g}|{100 * r.short:.1f}"
            cells += f"|{100 * filled:.2f}|{r.seconds:.2f}"
            name, last = pattern if r is best else "", method == METHODS[-1]
            found.add_row(name, method, *cells.split("|"), end_section=last)
        optimal = all(r.status is ms.Status.OPTIMAL for r in best.results.values())
        tiles = sum(r.stats["tiles"] for r in best.results.values())
        proven = "every one" if optimal else "NOT every one"
        lines.append(f"{pattern}: {proven} of {tiles:,} tiles proven optimal.")
    found.caption = "\n".join(lines)
    return found


if __name__ == "__main__":
    main()
