"""Search for a smaller network: ``python -m masksolve.bench.networks 12 --minutes 5``.

Finds the n-th and the (n+1)-th largest of m in as few maxima and minima as it can. Starts from
the package's network and from Batcher's, prints what is better, in the end as
`masksolve/kernels/middles.py` keeps it. What it prints is right from every input, by the 0-1
principle.
"""

from __future__ import annotations

import argparse
import textwrap
import time

from .search import Found, known, rounds

__all__ = ["main", "written"]


def written(n: int, m: int, found: Found) -> str:
    """Write a network as `middles.py` keeps it: the outputs are on wires n - 1 and n."""
    names = dict(zip(found.outputs, (n - 1, n), strict=True))
    rest = (j for j in range(m) if j not in (n - 1, n))
    names |= {j: next(rest) for j in range(m) if j not in found.outputs}
    text = " ".join(f"{names[a]}:{names[b]}" for a, b in found.comparators)
    if len(line := f'    ({n}, {m}): "{text}",') <= 100:
        return line
    indent = " " * 8
    lines = textwrap.fill(text, 98, initial_indent=indent, subsequent_indent=indent)
    return f'    ({n}, {m}): """\n{lines}\n    """,'


def main() -> None:
    """Search until time is up."""
    parser = argparse.ArgumentParser(
        prog="python -m masksolve.bench.networks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("m", type=int, help="of how many values, 2 to 64")
    parser.add_argument("n", type=int, nargs="?", help="which, from the largest: m // 2")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n, m = options.m // 2 if options.n is None else options.n, options.m
    if not 3 <= m <= 64 or not 1 <= n < m:
        parser.error(f"expected 3 <= m <= 64 and 1 <= n < m, got m={m}, n={n}")
    start = time.monotonic()
    best = known(n, m)
    print(f"{n}:{m} in {best.operations} maxima and minima", flush=True)
    for k, found in enumerate(rounds(n, m, options.seed, best), start=1):
        seconds = time.monotonic() - start
        if found.operations < best.operations:
            print(f"round {k}, {seconds:.0f} s: {found.operations}", flush=True)
        best = found
        if seconds > 60 * options.minutes:
            break
    print(written(n, m, best))


if __name__ == "__main__":
    main()
