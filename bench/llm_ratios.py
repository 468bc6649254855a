"""What pruning costs a language model: perplexity on other text, as a ratio to the dense model's.

SmolLM2-135M, calibrated with docstrings of half the standard library's modules, judged on those of
the other half; several seeds of calibration windows, and the time that each run takes. It goes on
where it was stopped.

    python -m masksolve.bench.llm_ratios --seeds 3 --patterns 4:8 8:16 16:32 2:4,plain
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

import masksolve.torch as mst
from masksolve.inputs import as_threads

from .demo_llm import FOLDER, LENGTH, SAMPLES, seconds_by_part, write_texts
from .pages.table import Table, show
from .smollm import write_smollm

__all__ = ["main"]

PATTERNS = ("4:8", "8:16", "16:32", "2:4,plain")
ASKED = ("mode", "samples", "length", "held_out", "damping", "refit")
"""What all arms of a run have in common."""
Arm = dict[str, Any]
"""What is asked for of one run, and then what came of it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, and print all."""
    options = _options(arguments)
    dense = FOLDER / "dense"
    texts = write_texts(FOLDER)
    write_smollm(dense)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done = _read(options.out)
    console = Console(width=160, highlight=False)
    for arm in _arms(options):
        if any(arm == {name: one[name] for name in arm if name in one} for one in done):
            continue
        done.append(arm | _measured(arm, dense, texts))
        options.out.write_text(json.dumps(done, indent=1) + "\n")
        told = done[-1]
        console.print(
            f"{arm['pattern']} {arm['algorithm']} seed {arm['seed']}: ratio {told['ratio']:.3f}, "
            f"{told['processor']:.0f} s of processor time"
        )
    show([_table(done)], console)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m masksolve.bench.llm_ratios")
    parser.add_argument("--patterns", nargs="+", default=PATTERNS, metavar="N:M[,plain]")
    parser.add_argument("--algorithms", nargs="+", default=("admm",), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--mode", default="sequential")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--held-out", type=float, default=0.125, help="share of the samples")
    parser.add_argument("--damping", type=float, help="default: chosen on what is held out")
    parser.add_argument("--no-refit", dest="refit", action="store_false")
    parser.add_argument("--out", type=Path, default=Path("bench-output") / "llm-ratios.json")
    return parser.parse_args(arguments)


def _arms(options: argparse.Namespace) -> Iterator[Arm]:
    common = {name: getattr(options, name) for name in ASKED}
    for seed in range(options.seeds):
        for algorithm in options.algorithms:
            for pattern in options.patterns:
                yield {"pattern": pattern, "algorithm": algorithm, "seed": seed} | common


def _read(path: Path) -> list[Arm]:
    found: list[Arm] = json.loads(path.read_text()) if path.is_file() else []
    return found


def _measured(arm: Arm, dense: Path, texts: tuple[Path, Path]) -> Arm:
    with TemporaryDirectory(dir=dense.parent) as folder:
        pruned = Path(folder) / "pruned"
        asked = {name: value for name, value in arm.items() if name != "pattern"}
        started, processor = time.perf_counter(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few tokens are what is asked for
            report = mst.prune_checkpoint(dense, pruned, arm["pattern"], texts[0], **asked)
        took, spent = time.perf_counter() - started, time.process_time() - processor
        # Judged by windows that are the same for all arms, whatever calibrates.
        found = mst.evaluate_checkpoint(
            pruned, texts[1], beside=dense, samples=SAMPLES, length=LENGTH
        )
        rmtree(pruned)  # half a gigabyte
    assert found.other is not None
    assert found.ratio is not None
    return {
        "dense": found.other.value,
        "perplexity": found.perplexity.value,
        "ratio": found.ratio.value,
        "ratio_standard_error": found.ratio.error,
        "seconds": took,
        "processor": spent,
        "cores": as_threads(None),
        "parts": seconds_by_part(report),
        "tokens": report.tokens,
        "held_out_before": report.mean("held_out_before"),
        "held_out_after": report.mean("held_out_after"),
        "after": report.mean("after"),
    }


def _table(done: Sequence[Arm]) -> Table:
    table = Table(
        "perplexity, in ratios to the dense model's",
        "pattern | algorithm | damping | ratio | each seed | processor, s | masks, % | "
        "largest parts, s",
        words=3,
    )
    kinds: dict[str, list[Arm]] = {}
    for arm in done:
        asked = [arm[name] for name in ("pattern", "algorithm", *ASKED)]
        kinds.setdefault(json.dumps(asked), []).append(arm)
    for arms in kinds.values():
        first = arms[0]
        parts = {name: fmean(arm["parts"][name] for arm in arms) for name in first["parts"]}
        largest = sorted(parts.items(), key=lambda part: -part[1])[:2]
        table.add(
            first["pattern"],
            f"{first['algorithm']}, {first['mode']}" + ("" if first["refit"] else ", no refit"),
            "held out" if first["damping"] is None else f"{first['damping']:g}",
            f"{fmean(arm['ratio'] for arm in arms):.3f}",
            " ".join(f"{arm['ratio']:.3f}" for arm in arms),
            f"{fmean(arm['processor'] for arm in arms):.0f}",
            f"{100 * parts['masks'] / sum(parts.values()):.1f}",
            ", ".join(f"{name} {seconds:.0f}" for name, seconds in largest),
        )
    return table


if __name__ == "__main__":
    main()
