"""Tests of the adapter: left out where torch is not installed."""

import importlib.util
import os

import pytest

# Inductor compiles where it is called: a crew of its own costs more than it compiles here.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["*"]
else:
    import torch

    torch.set_num_threads(1)

    @pytest.fixture
    def double():
        """Double precision throughout, and the same numbers drawn."""
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(torch.float32)

    @pytest.fixture
    def emulated(monkeypatch):
        """Sparse layers run on the CPU; what they compress and multiply by."""
        from tests.torch.emulation import emulate

        return emulate(monkeypatch)
