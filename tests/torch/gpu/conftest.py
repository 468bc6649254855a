"""Kernels run in Triton's interpreter here, on tensors of the CPU."""

import os

os.environ["TRITON_INTERPRET"] = "1"  # read when a kernel's module is imported
