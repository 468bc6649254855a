"""A small model of an architecture, with random weights."""

from __future__ import annotations

import re
from typing import Any

import torch

from .shrink import RUNGS, shrunk
from .wishes import WISHES
from .zoo import Architecture

__all__ = ["Unmade", "make"]

LARGEST = 120_000_000
"""Parameters: more are too many for a comparison of hundreds of models."""


class Unmade(Exception):
    """A model that could not be made, with the reason."""


def make(architecture: Architecture) -> tuple[Any, str]:
    """Make a small model with weights that are not zero; return it and how it was made small.

    Raises
    ------
    Unmade
        If none could be made.
    """
    try:
        config_class, model_class = architecture.config_class, architecture.model_class
        whole = config_class().to_dict()
    except Exception as error:
        raise Unmade(_reason(error)) from error
    reasons = []
    for rung in RUNGS:
        wishes = WISHES.get(architecture.model_type, {})
        try:
            config = config_class.from_dict(shrunk(whole, rung, wishes))
            with torch.device("meta"):
                size = sum(p.numel() for p in model_class(config).parameters())
            if size > LARGEST:
                raise Unmade(f"it has {size / 1e6:.0f} million parameters when made small")
            torch.manual_seed(0)
            return _filled(model_class(config).float().eval()), rung
        except Exception as error:  # whatever a configuration that was cut leads to
            reasons.append(_reason(error))
    raise Unmade(reasons[0])


def _filled(model: Any) -> Any:
    """Give whatever might be a matrix random weights: none may look pruned before it is."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.ndim >= 2:
                parameter.normal_(std=0.02)
                parameter[parameter == 0] = 0.02  # one in millions is drawn
    return model


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if found := re.search(r"requires the (\S+) library", text):
        return f"it needs {found[1]}"
    if isinstance(error, Unmade):
        return text
    inner = re.findall(r"(\w+Error): ((?:(?!\w+Error: ).)*)", f"{type(error).__name__}: {text}")
    return ": ".join(inner[-1] if inner else (type(error).__name__, text))[:200]  # the innermost
