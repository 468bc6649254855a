"""Kernels compiled once, so that no single test pays for them.

``python -m tests.warm float32`` does so before the tests begin, in a process a precision: each
process of the tests, and each that they start, would do it for itself otherwise.
"""

import sys

import numpy as np

import masksolve as ms

PATTERNS = ("2:4", "4:8", "8:16", "2:4,plain", "2:5", "2:4,at-most")


def warm(*dtypes: str) -> None:
    """Compile, or load what was compiled before; the tile solvers go with float64."""
    for dtype in dtypes:
        weights = np.eye(40, dtype=dtype)
        for pattern in PATTERNS:
            mask = ms.solve(weights, pattern, threads=1).mask
            ms.certify(weights, mask, pattern, threads=1)
        if dtype == "float64":
            for method in ms.METHODS:
                ms.solve(weights[:4, :4], "2:4", method=method, threads=1)
            ms.repair(weights[:4, :4], np.zeros((4, 4)), "2:4", threads=1)


if __name__ == "__main__":
    warm(*sys.argv[1:])
