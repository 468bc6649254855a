"""A language model pruned: half its weights gone, and what it says then.

Writes SmolLM2-135M as an ordinary folder, prunes it to transposable 8:16 with text of the
standard library's docstrings, measures the perplexity of both on docstrings of other modules,
draws where errors arise, and has both continue three lines.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

from rich.console import Console

import masksolve.torch as mst
from masksolve.torch.language import Evaluation, LanguageModel, Perplexity, Ratio
from masksolve.torch.pruning import PruneReport

from .learning.docstrings import halves
from .pages.table import Table, show
from .smollm import write_smollm

FOLDER = Path("demo-output") / "llm"
PATTERN = "8:16"
SAMPLES, LENGTH = 48, 256
"""Windows that calibrate, and as many of other modules that judge, of so many tokens."""
LINES = (
    "The capital of France is",
    "This function returns a list of",
    "A good way to learn a language is to",
)
WORDS = 24
"""Tokens of a continuation."""
PARTS = {"masks": "masks", "decomposition": "eigendecompositions", "rest": "other fitting"}
"""Of the seconds in a report, those that are parts of the whole."""


def main() -> None:
    """Run the demo."""
    started = time.perf_counter()
    console = Console(highlight=False)
    dense, pruned = FOLDER / "dense", FOLDER / f"pruned-{PATTERN.replace(':', '-')}"
    texts = write_texts(FOLDER)
    write_smollm(dense)
    console.print(f"SmolLM2-135M lies in {dense}, {elapsed(started)}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the report has them too
        report = mst.prune_checkpoint(
            dense, pruned, PATTERN, texts[0], samples=SAMPLES, length=LENGTH, progress=True
        )
    for said in report.warnings:
        console.print(f"note: {said}")
    console.print(
        f"{report.pruned:,} weights, {100 * report.share:.0f} % of all, are under transposable "
        f"{PATTERN} masks: {pruned}, {elapsed(started)}"
    )
    show([seconds_table(report)], console)

    found = mst.evaluate_checkpoint(pruned, texts[1], beside=dense, samples=SAMPLES, length=LENGTH)
    show([perplexities(found)], console)
    console.print(continuations({"dense": dense, "pruned": pruned}), markup=False)
    console.print(f"the picture is {pruned / 'masksolve' / 'report.png'}; {elapsed(started)}")


def elapsed(started: float) -> str:
    """Say how long it took so far."""
    return f"after {time.perf_counter() - started:.0f} s"


def write_texts(folder: Path) -> tuple[Path, Path]:
    """Write docstrings of half the standard library's modules, and of the other half."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "calibration.txt", folder / "held-out.txt"
    for path, texts in zip(paths, halves(), strict=True):
        path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return paths


def seconds_table(report: PruneReport) -> Table:
    """Tell where the time went, the largest parts first."""
    parts = seconds_by_part(report)
    whole = sum(parts.values())
    table = Table("where the time went", " | s | %")
    for name, seconds in sorted(parts.items(), key=lambda part: -part[1]):
        table.add(name, f"{seconds:.1f}", f"{100 * seconds / whole:.1f}")
    return table


def seconds_by_part(report: PruneReport) -> dict[str, float]:
    """Return wall-clock seconds of all blocks, by what they were spent on."""

    def total(name: str) -> float:
        return float(sum(block["seconds"].get(name, 0.0) for block in report.blocks))

    parts = {called: total(name) for name, called in PARTS.items()}
    return parts | {"hidden states, sums over tokens": total("all") - sum(parts.values())}


def perplexities(found: Evaluation) -> Table:
    """Lay the perplexities out."""
    assert found.other is not None
    assert found.ratio is not None
    rows: dict[str, Perplexity | Ratio] = {
        "dense": found.other,
        "pruned": found.perplexity,
        "ratio, paired": found.ratio,
    }
    title = f"{found.windows} windows of {found.length} tokens of other modules"
    table = Table(title, " | perplexity | standard error")
    for name, figures in rows.items():
        table.add(name, f"{figures.value:.2f}", f"{figures.error:.2f}")
    return table


def continuations(folders: dict[str, Path]) -> str:
    """Have models continue the lines, each token the likeliest."""
    said = {name: _continued(folder) for name, folder in folders.items()}
    parts = []
    for k, line in enumerate(LINES):
        parts += [f"{line} ...", *(f"    {name}: {texts[k]}" for name, texts in said.items())]
    return "\n".join(parts)


def _continued(folder: Path) -> list[str]:
    import torch

    source = LanguageModel(folder)
    model, tokenizer = source.load(), source.tokenizer
    found = []
    for line in LINES:
        ids = tokenizer(line, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            said = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=WORDS, do_sample=False
            )
        text = tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)
        found.append(" ".join(text.split()))
    return found


if __name__ == "__main__":
    main()
