"""How others find masks, written as their users run them, to be timed beside ours.

Each file is one rival; importing it makes it a contestant. What it needs is imported when
it solves, so that a missing package leaves the others running.
"""

from . import (
    ortools_tiles,
    pattern_product,
    pulp_cbc,
    scipy_assignment,
    scipy_highs,
    torch_entropic,
    torch_greedy,
    torch_two_approx,
)

__all__ = [
    "ortools_tiles",
    "pattern_product",
    "pulp_cbc",
    "scipy_assignment",
    "scipy_highs",
    "torch_entropic",
    "torch_greedy",
    "torch_two_approx",
]
