"""One conversion of the weights of a seed, and what became of their zeros."""

from __future__ import annotations

import logging
import re
import warnings

import torch
from torch import Tensor

import masksolve as ms

from ...pages.findings import significant
from .findings import Run, Zeros
from .pruned import PATTERN, Pruned
from .ways import WAYS

__all__ = ["NEARLY", "convert", "measured"]

NEARLY = 1e-6


def convert(name: str, rows: int, columns: int, seed: int) -> Run:
    """Convert, and measure; a tool that is not there, or refuses, is said to."""
    pruned = Pruned.draw(rows, columns, seed)
    torch.manual_seed(seed)
    logging.disable(logging.WARNING)
    why, zeros = "", None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zeros = measured(pruned, WAYS[name].convert(pruned).float())
    except ModuleNotFoundError as error:
        why = f"{error.name} is not installed"
    except Exception as error:  # the tool's own
        text = re.sub(r"/\S*/", "", " ".join(str(error).split()))  # of no machine's folders
        why = f"{type(error).__name__}: {text}"[:160]
    finally:
        logging.disable(logging.NOTSET)
    return Run(way=name, seed=seed, why=why, zeros=zeros)


def measured(pruned: Pruned, found: Tensor) -> Zeros:
    """Hold converted weights against the zeros that they had."""
    report = ms.inspect_zeros(found.numpy(), PATTERN, nearly=NEARLY)
    was_zero = found[~pruned.mask]
    change = (found - pruned.weight).norm() / pruned.weight.norm()
    return Zeros(
        lost=significant(float((was_zero != 0).float().mean()), 4),
        largest=significant(float(was_zero.abs().max() / found.abs().max()), 3),
        over=significant(report.over / report.lines, 4),
        verdict=report.verdict,
        error=significant(float(change), 3),
    )
