"""Draw docs/figures/convergence.png: how many tiles the rounds prove, round by round.

Computes the figures anew (some seconds), writes them to docs/results/convergence.json
and draws. The rounds are written out here in NumPy, independently of the engine:
``python docs/figures/convergence.py``. The line "encoder layer" needs the encoder of
``make demo``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import ml_dtypes
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from masksolve.kernels.schedule import relaxations
from masksolve.kernels.schedule import rounds as rounds_of

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "results" / "convergence.json"

TILES, ROUNDS = 4096, 24
PATTERNS = ("2:4", "4:8", "8:16", "16:32")
INK, FAINT, GRID = "#1d2733", "#8793a0", "#e3e8ed"
BLUES = ["#9cc4e4", "#5b9bd0", "#1f6cae", "#0b3c6f"]
Lines = NDArray[np.float32]
Omegas = Callable[[int, str], float]
"""Relaxation of a round (from 0) and a side, "rows" or "columns"."""


def middle(values: Lines, n: int) -> Lines:
    """Midpoint between the n-th and the (n+1)-th largest along the last axis."""
    ordered = np.sort(values, axis=-1)
    m = values.shape[-1]
    return (ordered[..., m - n] + ordered[..., m - n - 1]) * np.float32(0.5)


def proven_by_round(tiles: NDArray[np.float64], n: int, omega: Omegas) -> list[float]:
    """Share of tiles that the certificate accepts after 1, 2, ... rounds."""
    s = tiles.astype(np.float32)
    by_column = np.ascontiguousarray(s.swapaxes(1, 2))
    v = np.zeros(s.shape[:2], dtype=np.float32)
    u = np.zeros_like(v)
    found = []
    for k in range(ROUNDS):
        step = np.float32(omega(k, "rows"))
        u += step * (middle(s - v[:, None, :], n) - u)
        step = np.float32(omega(k, "columns"))
        v += step * (middle(by_column - u[:, None, :], n) - v)
        last = middle(s - v[:, None, :], n).astype(np.float64)  # the rows' exact thresholds
        x = tiles - v[:, None, :].astype(np.float64) > last[:, :, None]
        full = (x.sum(axis=1) == n).all(axis=1) & (x.sum(axis=2) == n).all(axis=1)
        found.append(float(full.mean()))
    return found


def rising(m: int) -> Omegas:
    """Do as the engine does, with its last relaxation from then on."""
    steps = relaxations(m)
    return lambda k, side: float(steps[min(k, len(steps) - 1)]) if k or side == "columns" else 1.0


def constant(omega: float) -> Omegas:
    """Both sides alike, the first round unrelaxed."""
    return lambda k, side: omega if k else 1.0


def chebyshev(omega: float) -> Omegas:
    """Half round by half round up to omega, as in Chebyshev's semi-iteration."""
    squared_radius = 1 - (2 / omega - 1) ** 2
    steps = [1.0, 1 / (1 - squared_radius / 2)]
    while len(steps) < 2 * ROUNDS:
        steps.append(1 / (1 - squared_radius * steps[-1] / 4))
    return lambda k, side: steps[2 * k + (side == "columns")]


def variants(omega: float) -> dict[str, Omegas]:
    """Other ways to relax, for the comparison in the text."""
    both = constant(omega)
    return {
        "both sides, rising": rising(16),
        "both sides": both,
        "columns only": lambda k, side: both(k, side) if side == "columns" else 1.0,
        "not at all": constant(1.0),
        "Chebyshev": chebyshev(omega),
        "last round unrelaxed": lambda k, side: 1.0 if k == 7 else both(k, side),
    }


def cut(matrix: NDArray[np.floating], m: int) -> NDArray[np.float64]:
    """First tiles of a matrix, as magnitudes in float64."""
    rows, columns = (k // m for k in matrix.shape)
    matrix = np.abs(matrix[: rows * m, : columns * m]).astype(np.float64)
    return matrix.reshape(rows, m, columns, m).swapaxes(1, 2).reshape(-1, m, m)[:TILES]


def normal(m: int) -> NDArray[np.float64]:
    """Magnitudes of normal scores: the share of 4096 tiles is good to half a percent."""
    draw = np.random.default_rng(0).standard_normal((TILES, m, m), dtype=np.float32)
    return np.abs(draw).astype(np.float64)


def kinds() -> dict[str, NDArray[np.float64]]:
    """16 x 16 tiles of several distributions."""
    rng = np.random.default_rng(1)
    shape = (TILES, 16, 16)
    base = normal(16)
    lines = np.exp(rng.standard_normal((2, TILES, 16)))
    found = {
        "log-normal": np.exp(rng.standard_normal(shape)),
        "Student t, 3 degrees": np.abs(rng.standard_t(3, shape)),
        "rows, columns scaled": base * lines[0][:, :, None] * lines[1][:, None, :],
        "normal": base,
    }
    found = {name: tiles.astype(np.float32).astype(np.float64) for name, tiles in found.items()}
    try:
        from masksolve.bench.encoder import encoder_layers

        layer = encoder_layers()["encoder.layer.0.intermediate.dense.weight"]
        found["encoder layer"] = cut(layer, 16)
    except SystemExit as missing:
        print(missing)
    found["bf16 grid"] = base.astype(ml_dtypes.bfloat16).astype(np.float64)
    found["int8 grid"] = np.round(base * (127 / base.max()))
    return found


def compute() -> dict[str, dict[str, list[float]]]:
    """Everything that is drawn or quoted."""
    by_pattern = {
        pattern: proven_by_round(
            normal(int(pattern.split(":")[1])),
            int(pattern.split(":")[0]),
            rising(int(pattern.split(":")[1])),
        )
        for pattern in PATTERNS
    }
    by_kind = {name: proven_by_round(t, 8, rising(16)) for name, t in kinds().items()}
    ways = {name: proven_by_round(normal(16), 8, w) for name, w in variants(1.42).items()}
    return {"patterns": by_pattern, "8:16 kinds": by_kind, "8:16 variants": ways}


def main() -> None:
    """Compute, write, draw."""
    found = compute()
    rounded = {k: {n: [round(x, 5) for x in y] for n, y in d.items()} for k, d in found.items()}
    DATA.parent.mkdir(exist_ok=True)
    lines = [
        f" {json.dumps(k)}: {{\n"
        + ",\n".join(f"  {json.dumps(n)}: {y}" for n, y in d.items())
        + "\n }"
        for k, d in rounded.items()
    ]
    DATA.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    draw(rounded)


def draw(found: dict[str, dict[str, list[float]]]) -> None:
    """Two panels side by side."""
    mpl.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "font.size": 11})
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.4, 5.0), dpi=150, sharey=True)
    panel(left, "Patterns, normal scores")
    for (pattern, shares), colour in zip(found["patterns"].items(), BLUES, strict=True):
        stop = rounds_of(int(pattern.split(":")[1]))
        rounds = range(1, ROUNDS + 1)
        left.plot(rounds, shares, color=colour, linewidth=2.4, label=pattern)
        left.plot(
            stop,
            shares[stop - 1],
            "o",
            color=colour,
            markersize=9,
            markeredgecolor="white",
            markeredgewidth=1.6,
            zorder=4,
        )
    left.plot([], [], "o", color=FAINT, label="stage 1 of the engine\nstops here")
    legend(left, (0.99, 0.04))
    panel(right, "8:16, kinds of scores")
    kinds_ = found["8:16 kinds"]
    colours = dict(
        zip(
            kinds_,
            ("#0d9488", "#65a30d", "#7c3aed", BLUES[2], "#db2777", "#ea580c", "#b91c1c"),
            strict=False,
        )
    )
    for name in sorted(kinds_, key=lambda n: -sum(kinds_[n])):
        style = "--" if name.endswith("grid") else "-"
        right.plot(
            range(1, ROUNDS + 1),
            kinds_[name],
            style,
            color=colours[name],
            linewidth=2.0,
            label=name,
        )
    for name in ("bf16 grid", "int8 grid"):
        right.text(
            ROUNDS + 0.2,
            kinds_[name][-1] - 0.035,
            f"{kinds_[name][-1]:.1%}",
            color=colours[name],
            ha="right",
            va="center",
            size=10,
        )
    legend(right, (0.98, 0.43))
    left.set_ylabel("tiles proven optimal", color=INK)
    figure.tight_layout(w_pad=2.5)
    buffer = io.BytesIO()
    figure.savefig(buffer, facecolor="white")
    picture = Image.open(buffer).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(HERE / "convergence.png", optimize=True)


def legend(axes: Axes, corner: tuple[float, float]) -> None:
    """Put the names where there is room."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=corner,
        labelcolor=INK,
        facecolor="white",
        edgecolor="white",
        framealpha=1,
        fancybox=False,
        labelspacing=0.4,
    )


def panel(axes: Axes, title: str) -> None:
    """Set scales and grid."""
    axes.set_title(title, loc="left", weight="bold", size=13, color=INK, pad=12)
    axes.set(xlim=(0.6, ROUNDS + 0.4), ylim=(0, 1.02), xticks=[1, 4, 8, 12, 16, 20, 24])
    axes.set_xlabel("rounds", color=INK)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20%", "40%", "60%", "80%", "100%"])
    axes.grid(color=GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=FAINT, labelleft=True)
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    main()
