"""The least time of the rounds by count: ``python -m masksolve.bench.gpu.arithmetic``.

The kernel is compiled for compute capability 9.0, which takes no device, and the machine
code of its inner loop, one round of all tiles of a warp, is counted by the unit that each
instruction keeps busy. With the units' published throughput and how many rounds tiles need
that gives the least time an H100 can take; loading the scores and writing the masks is set
against its memory. No time is measured here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

import masksolve as ms

from ..pages.table import Table, show

__all__ = ["Loop", "compile_rounds", "expected_rounds", "inner_loop", "least_milliseconds"]

PATTERNS = ((2, 4), (4, 8), (8, 16), (16, 32))
SIDE = 8192
PARTITIONS = 132 * 4
"""Of an H100 (SXM): four to each of 132 multiprocessors, with an instruction a cycle each."""
CLOCK = 1.755e9
"""Cycles a second under load."""
MEMORY = 3.35e12
"""Bytes a second."""
HALF_RATE = "FMNMX FSEL FSETP IADD3 ISETP LEA LOP3 P2R PLOP3 PRMT R2P SEL SHF VIADD VIADDMNMX"
"""On the pipe for comparisons and integers: a warp takes two cycles."""
SHUFFLES = "SHFL"
"""Four partitions share the unit: a warp takes four cycles of it."""


COLUMNS = (
    "pattern | registers | spilled | instructions / round | min, max | shuffles | "
    "cycles / round | rounds | ms at least | memory, ms"
)


class Loop(NamedTuple):
    """The machine code of a loop: how often each instruction stands in it."""

    counts: Counter[str]
    registers: int
    spilled: int

    @property
    def cycles(self) -> int:
        """Cycles of a partition that one turn keeps the busiest unit busy."""
        half_rate = 2 * sum(self.counts[name] for name in HALF_RATE.split())
        return max(self.counts.total(), half_rate, 4 * self.counts[SHUFFLES])


def compile_rounds(n: int, m: int) -> tuple[bytes, Any]:
    """Compile the kernel for n of m in float32; return machine code and metadata."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from masksolve.torch.gpu import rounds

    constants = rounds.constants(n, m, magnitude=True, at_most=False, warm=False, double=False) | {
        "w_column": 1,
        "mask_column": 1,
    }
    pointers = {"W": "*fp32", "mask": "*i1"} | dict.fromkeys(("U", "V", "start"), "*fp64")
    pointers |= dict.fromkeys(("queue", "queue_length", "flags"), "*i32")
    kernel = rounds.kernel
    signature = {
        name: "constexpr" if name in constants else pointers.get(name, "i32")
        for name in kernel.arg_names
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    found = triton.compile(
        source,
        target=GPUTarget("cuda", 90, 32),
        options={"num_warps": 1, "enable_fp_fusion": False},
    )
    return found.asm["cubin"], found.metadata


def inner_loop(machine_code: bytes) -> Loop:
    """Count the instructions of the tightest loop, and the kernel's registers."""
    import triton

    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with TemporaryDirectory() as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(machine_code)
        text = _run(tools / "nvdisasm", "-c", path)
        usage = _run(tools / "cuobjdump", "-res-usage", path)
    registers, stack = (int(re.search(rf"{key}:(\d+)", usage)[1]) for key in ("REG", "STACK"))  # type: ignore[index]
    labels: dict[str, int] = {}
    code: list[str] = []
    loops: list[tuple[int, int]] = []
    for line in text.splitlines():
        if label := re.match(r"(\.L_x_\d+):", line):
            labels[label[1]] = len(code)
        elif found := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9_]+)", line):
            code.append(found[1])
            back = re.search(r"BRA\b.*\((\.L_x_\d+)\)", line)
            if back and labels.get(back[1], len(code)) < len(code) - 1:
                loops.append((labels[back[1]], len(code)))
    first, end = min(
        (loop for loop in loops if SHUFFLES in code[slice(*loop)]), key=lambda at: at[1] - at[0]
    )
    return Loop(Counter(code[first:end]), registers, stack)


def _run(*command: Any) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def expected_rounds(n: int, m: int, tiles: int = 4096) -> float:
    """Return how many turns of the loop a warp takes on normal weights, on average.

    A warp goes on while one of its tiles is open, half as long again. How many are is
    estimated from above: the CPU's engine looks at tiles after as many rounds, or one less.
    """
    from masksolve.torch.gpu.schedule import schedule

    weights = np.random.default_rng(0).standard_normal((m, tiles * m), dtype=np.float32)
    found = ms.solve(weights, f"{n}:{m}")
    left = 1 - found.stats["tiles_by_rounds"] / tiles
    turns = schedule(m)[0] + 1
    go_on = 1 - (1 - left) ** max(1, 32 // m)
    return float(turns + go_on * (turns // 2))


def least_milliseconds(loop: Loop, n: int, m: int, side: int = SIDE) -> tuple[float, float]:
    """Return the least time of the rounds, and of moving scores, masks and potentials."""
    warps = side * side / m / 32
    rounds = warps / PARTITIONS * loop.cycles * expected_rounds(n, m) / CLOCK
    moved = side * side * (2 * 4 + 2 * 1) + 4 * 8 * side * side / m
    return 1e3 * rounds, 1e3 * moved / MEMORY


def main() -> int:
    """Print the table."""
    console = Console(width=140, highlight=False)
    try:
        import triton
    except ImportError:
        print("this needs Triton: pip install triton", file=sys.stderr)
        return 2
    title = f"{SIDE} x {SIDE} float32, H100, by count (Triton {triton.__version__})"
    rows = []
    for n, m in PATTERNS:
        loop = inner_loop(compile_rounds(n, m)[0])
        rounds, memory = least_milliseconds(loop, n, m)
        rows.append(
            f"{n}:{m} | {loop.registers} | {loop.spilled} | {loop.counts.total()} | "
            f"{loop.counts['FMNMX']} | {loop.counts[SHUFFLES]} | {loop.cycles} | "
            f"{expected_rounds(n, m):.1f} | {rounds:.2f} | {memory:.2f}"
        )
    show([Table(title, COLUMNS, rows=rows)], console)
    console.print("a round: all lines of a warp's tiles once by rows and once by columns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
