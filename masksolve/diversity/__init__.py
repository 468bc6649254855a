"""Mask diversity: how many masks a constraint allows; random masks; masks as integers."""

from masksolve.diversity.counts import (
    bits,
    count,
    hubara,
    is_exact,
    log10,
    log10_hubara,
    log10_unstructured,
    matrices,
    sequential,
    unstructured,
)
from masksolve.diversity.sampling import rank, sample, unrank

__all__ = [
    "bits",
    "count",
    "hubara",
    "is_exact",
    "log10",
    "log10_hubara",
    "log10_unstructured",
    "matrices",
    "rank",
    "sample",
    "sequential",
    "unrank",
    "unstructured",
]
