"""Torch's own compressed tensors on the CPU, with a product in the place of their kernel."""

from importlib import import_module

import torch
from torch import nn

module = import_module("masksolve.torch.semi_structured")
CUTLASS = torch.sparse.SparseSemiStructuredTensorCUTLASS


class Emulation:
    """Torch's CUTLASS tensors on the CPU: its conversions, and a product that decompresses."""

    def __init__(self):
        self.compressed = []
        self.operands = []

    def from_dense(self, dense):
        assert dense.is_contiguous()
        assert not dense.requires_grad
        assert (dense.unflatten(1, (-1, 4)).count_nonzero(2) <= 2).all()
        self.compressed.append(dense.clone())
        return CUTLASS.from_dense(dense)

    def multiply(self, sparse, dense, *, bias=None, should_transpose_dense=False):
        assert dense.is_contiguous()
        assert should_transpose_dense
        operand = sparse.to_dense()
        self.operands.append(operand)
        return nn.functional.linear(dense, operand, bias)

    def __getattr__(self, name):  # BACKEND, limits
        return getattr(CUTLASS, name)

    def forget(self):
        self.compressed.clear()
        self.operands.clear()


def convert_on_cpu(monkeypatch, back_end=CUTLASS):
    """Let torch convert tensors, from which its check of the device alone keeps it on the CPU."""
    monkeypatch.setattr(module, "_back_end", lambda device: back_end)
    monkeypatch.setattr(CUTLASS, "_validate_device_dim_dtype_shape", lambda tensor: None)
    monkeypatch.setattr(torch.sparse.SparseSemiStructuredTensor, "_PROTOTYPE_WARNING_SHOWN", True)
    CUTLASS._load_dispatch_table()


def emulate(monkeypatch):
    """Let sparse layers run on the CPU; return what they compress and multiply by."""
    emulation = Emulation()
    convert_on_cpu(monkeypatch, emulation)
    monkeypatch.setattr(
        CUTLASS, "_mm", lambda self, dense, **options: emulation.multiply(self, dense, **options)
    )
    return emulation
