"""What the page says whatever the figures are."""

from __future__ import annotations

__all__ = ["CODE", "DONE", "INSTALL", "RECIPES"]

RECIPES = (
    "**Casts, scales, folded norms**: nothing to do. A number times a scale, rounded to a grid "
    "that holds 0, stays 0.",
    "**Quantisers**: take a grid that holds 0: symmetric, or with a zero point that is a whole "
    "number. With a real zero point 0 falls between two levels. More bits do not help, nor does "
    "a small error: the table below has both.",
    "**GGUF**: take a type without an offset: `Q8_0`, `Q6_K`, `Q5_0`, `Q4_0`, `Q3_K`, `MXFP4`.",
    "**HQQ**: `optimize=False` with `round_zero=True`. Its optimisation replaces the rounded zero "
    "point by a real one.",
    "**GPTQ and its kin** pass errors on to weights to come, pruned or not. Hold the mask: pass "
    "nothing on to what is pruned. Where a tool does not offer that, apply the mask to what it "
    "returns, on a grid that holds 0.",
    "**LoRA**: the product of two factors is dense. Merge, then apply the mask with `masksolve "
    "apply --force`, or solve anew. Train with the mask on the merged weight if you can: what the "
    "adapter learned at pruned places goes.",
    "**Quantisation-aware training**: prepare and convert keep zeros, steps between do not. Set "
    'what is pruned to zero after every step, or train under `estimator="none"` before.',
    "**Averages**: under one mask zeros stay. Under masks that were renewed the average has the "
    "zeros that all of them share; solve it anew.",
    "**Training on**: no gradient is not no step. AdamW decays pruned weights, and Muon turns a "
    'gradient with zeros into an update without. `sparsify(model, "2:4", estimator="none", '
    "optimizer=optimizer)` holds them, [whatever the optimizer]"
    "(training.md#what-the-pruned-weights-get-estimators).",
    "**In any case**: keep the mask file. On files of plain weights `masksolve apply "
    "CONVERTED MASKS OUT --force` sets to zero what a conversion has moved, and `masksolve "
    "check` says whether that was needed.",
)

CODE = """>>> import numpy as np
>>> import masksolve as ms
>>> weights = np.random.default_rng(0).normal(size=(64, 64))
>>> weights *= ms.solve(weights, "2:4").mask
>>> turn = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 64))).Q
>>> back = weights @ turn @ turn.T  # as it was, but for rounding
>>> ms.is_valid(back != 0, "2:4,at-most")
False
>>> report = ms.inspect_zeros(back, "2:4", nearly=1e-12)
>>> print(report.verdict, report.broken, "of", report.lines)
nearly 0 of 2048
>>> back[abs(back) <= 1e-12 * abs(back).max()] = 0
>>> ms.is_valid(back != 0, "2:4,at-most")
True
"""

DONE = (
    "Normal weights of deviation 0.02, pruned by magnitude to transposable 2:4. Three seeds; every "
    "figure is the worst of them.",
    "Lost: share of the zeros that are other numbers afterwards. Largest in their place: over the "
    "largest weight. Lines broken: with more than two nonzeros of four. Error: norm of the change "
    "over the norm of the weights.",
    "Kept: every zero is one afterwards. Renewed: 2:4, by other zeros. Moved: all that is too much "
    "is nearly zero, at 1e-6.",
    "GPTQ's rounding and the loops of training are written for this page; all else is the tool "
    "that is named. Training is three steps, enough to see zeros go.",
)

INSTALL = (
    "`pip install --no-deps bitsandbytes gguf hqq optimum-quanto peft pywhispercpp torchao einops "
    "termcolor ninja` brings them beside torch, transformers and accelerate."
)
