"""Launch every kernel as on GPUs that are not there: bound, specialised, compiled, not run.

For a process of its own, in which kernels are not interpreted. Prints what was compiled.
"""

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from masksolve.torch.gpu.certificate import certify
from masksolve.torch.gpu.finish import finish
from masksolve.torch.gpu.solver import solve_on_device
from tests.torch.gpu.tiles import chunk_of, queue_of


class Absent:
    """A driver for a device of a compute capability, by which the device is numbered."""

    def __init__(self, capability):
        self.capability = capability

    def get_current_target(self):
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self):
        return self.capability

    def get_current_stream(self, device=None):
        return 0


def compile_only(run):
    """Make launches stop when the kernel is compiled."""

    def launch(self, *args, grid, warmup, **options):
        compiled = run(self, *args, grid=grid, warmup=True, **options)
        assert options["enable_fp_fusion"] is False
        capability = compiled.metadata.target.arch
        print(self.fn.__name__, capability, compiled.metadata.shared)
        return compiled

    return launch


def main():
    JITFunction.run = compile_only(JITFunction.run)
    for n, m, dtype, at_most, capability in [
        (2, 4, torch.float32, False, 80),
        (3, 5, torch.float64, True, 90),
        (8, 16, torch.bfloat16, False, 90),
        (17, 33, torch.float16, False, 80),
        (17, 33, torch.float64, True, 90),
    ]:
        driver.set_active(Absent(capability))
        weights = torch.zeros(1, 2 * m + 1, 2 * m, dtype=dtype)
        tiles = 3 * 2
        start = torch.zeros(tiles, m, dtype=torch.float64) if at_most else None
        solve_on_device(weights, n, m, at_most=at_most, start=start)
        solve_on_device(weights[:, :m, :m], n, m, potentials=True)  # sizes of one
    # Lines of 32 are another layout of tiles on threads; their rounds take long to compile.
    weights = torch.zeros(1, 32, 32, dtype=torch.float16)
    chunk = chunk_of(weights, 16, 32, at_most=True)
    finish(chunk, *queue_of(chunk, [0]))
    certify(chunk, *torch.zeros(2, 1, dtype=torch.float64))


if __name__ == "__main__":
    main()
