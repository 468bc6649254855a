"""Methods batched over tiles in plain torch, for tensors on any device.

``greedy``, ``two_approx``, ``entropic`` and plain N:M. `masksolve.torch.gpu.fused` has each of
them as one kernel.
"""

from __future__ import annotations

from masksolve.torch.batched.solve import IN_TORCH, BatchedMethods, solve_batched

__all__ = ["IN_TORCH", "BatchedMethods", "solve_batched"]
