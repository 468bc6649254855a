"""What the server of commands imports: all that a command needs, its kernels loaded.

A command that is forked from there begins to work within milliseconds, so that a round takes
a fraction of a second and signals hit the work, not the imports.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import masksolve as ms
from masksolve.cli import main as _main  # noqa: F401  # for the commands that are forked

from .models import DTYPES, PATTERNS, write

__all__: list[str] = []


def _warm() -> None:
    weights = {dtype: np.eye(12).astype(dtype) for dtype in DTYPES}
    with tempfile.TemporaryDirectory(prefix="masksolve-torture-") as name:
        source, masks = Path(name, "in"), Path(name, "masks")
        write(source, {"all": weights}, folder=False)
        for pattern in PATTERNS:
            ms.solve_checkpoint(source, masks, pattern, tensors=["*"], single=True)
            for name, stored in ms.load_masks(masks).items():
                ms.certify(weights[name], stored.mask, pattern)
        ms.apply_masks(source, masks, Path(masks.parent, "out"))
        ms.plan(weights["float32"], PATTERNS)


_warm()
