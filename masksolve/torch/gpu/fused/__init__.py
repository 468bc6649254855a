"""The methods of `masksolve.torch.batched`, each as one kernel in Triton."""

from __future__ import annotations

from masksolve.torch.batched import BatchedMethods
from masksolve.torch.gpu.fused.entropic import entropic
from masksolve.torch.gpu.fused.greedy import greedy
from masksolve.torch.gpu.fused.lines import select, two_approx

__all__ = ["FUSED"]

FUSED = BatchedMethods(
    {"greedy": greedy, "entropic": entropic, "two_approx": two_approx}, {"exact": select}, copies=4
)
