"""What the methods on the CPU make of the same matrices."""

import numpy as np
import torch

import masksolve as ms
from masksolve.torch.batched import solve_batched

NARROW_FLOATS = [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]


def both(weights, pattern, method, score=np.abs, **options):
    """Return the batched method's mask and the CPU method's."""
    pattern = ms.Pattern.parse(pattern)
    found = solve_batched(
        torch.from_numpy(np.ascontiguousarray(weights))[None],
        pattern.n,
        pattern.m,
        method=method,
        transposable=pattern.transposable,
        at_most=pattern.at_most,
        magnitude=score is np.abs,
        options=options,
    )
    expected = ms.solve(weights, pattern, method=method, score=score, options=options).mask
    return found[0].numpy(), expected


def agree(weights, pattern, method, score=np.abs, **options):
    """Tell whether both are the same."""
    found, expected = both(weights, pattern, method, score, **options)
    return np.array_equal(found, expected)
