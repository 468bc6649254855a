"""Exact masks where the weights are: kernels in Triton, other methods batched in torch."""
