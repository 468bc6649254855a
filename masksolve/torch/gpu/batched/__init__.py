"""Methods batched over tiles in torch: for tensors on any device.

``greedy``, ``two_approx``, ``entropic`` and plain N:M. On a CUDA device each is one kernel,
where Triton is there.
"""

from masksolve.torch.gpu.batched.solve import METHODS, solve_batched

__all__ = ["METHODS", "solve_batched"]
