"""Tests of the adapter: left out where torch is not installed."""

import importlib.util
import os

# Inductor compiles where it is called: a crew of its own costs more than it compiles here.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import pytest

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
