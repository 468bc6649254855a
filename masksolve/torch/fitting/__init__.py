"""Linear layers fitted under masks, from sums over their inputs; nothing here knows of models."""

from __future__ import annotations

from masksolve.torch.fitting.fit import Errors, Fitted, Seconds, fit_group, fit_linear
from masksolve.torch.fitting.moments import Moments
from masksolve.torch.fitting.settings import FitSettings

__all__ = ["Errors", "FitSettings", "Fitted", "Moments", "Seconds", "fit_group", "fit_linear"]
