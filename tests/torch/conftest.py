"""Tests of the adapter: left out where torch is not installed."""

import importlib.util

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["*"]
else:
    import torch

    torch.set_num_threads(1)
