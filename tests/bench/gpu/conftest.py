"""Kernels are interpreted here as in tests/torch/gpu."""

import importlib.util

if importlib.util.find_spec("triton"):
    from tests.interpreter import _patched_once  # noqa: F401
