"""What needs a package that is not installed is left out; kernels in Triton are interpreted."""

import os
from importlib.util import find_spec

# Read when Triton is imported, by whatever test comes first. On a machine with a GPU
# TRITON_INTERPRET=0 lets the tests in tests/torch/device have it.
os.environ.setdefault("TRITON_INTERPRET", "1")

NEEDED = {
    "masksolve/dask": ["distributed"],
    "masksolve/torch": ["torch"],
    "masksolve/torch/gpu": ["triton"],
    "masksolve/torch/training/callbacks/huggingface.py": ["transformers"],
    "masksolve/torch/training/callbacks/lightning.py": ["lightning", "pytorch_lightning"],
    "tests/torch/gpu": ["triton"],
    "docs/adaprune.md": ["torch"],
    "docs/dst.md": ["torch"],
    "docs/filters.md": ["torch"],
    "docs/huggingface.md": ["peft"],
    "docs/prune.md": ["torch"],
    "docs/scale.md": ["distributed"],
    "docs/training.md": ["torch"],
}
collect_ignore = [path for path, packages in NEEDED.items() if not any(map(find_spec, packages))]
