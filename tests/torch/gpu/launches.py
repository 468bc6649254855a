"""Launch every kernel as on a GPU that is not there: bound, specialised, compiled, not run.

For a process of its own, in which kernels are not interpreted. Prints what was compiled.
"""

import sys

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction


class Absent:
    """A driver for a device of a compute capability."""

    def __init__(self, capability):
        self.capability = capability

    def get_current_target(self):
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device=None):
        return 0


def compile_only(monkeyed):
    """Make launches stop when the kernel is compiled."""

    def run(self, *args, grid, warmup, **options):
        compiled = monkeyed(self, *args, grid=grid, warmup=True, **options)
        assert options["enable_fp_fusion"] is False
        print(self.fn.__name__, compiled.metadata.shared)
        return compiled

    return run


def main(capability):
    driver.set_active(Absent(capability))
    JITFunction.run = compile_only(JITFunction.run)
    from masksolve.torch.gpu.solver import solve_on_device

    for n, m, dtype, at_most in [
        (2, 4, torch.float32, False),
        (3, 5, torch.float64, True),
        (8, 16, torch.bfloat16, False),
        (17, 33, torch.float16, False),
    ]:
        weights = torch.zeros(1, 2 * m + 1, 2 * m, dtype=dtype)
        tiles = 3 * 2
        start = torch.zeros(tiles, m, dtype=torch.float64) if at_most else None
        solve_on_device(weights, n, m, at_most=at_most, start=start)
        solve_on_device(weights[:, :m, :m], n, m, potentials=True)  # sizes of one


if __name__ == "__main__":
    main(int(sys.argv[1]))
