"""What cannot be pruned is told in one sentence, and nothing is lost or left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import masksolve.torch as mst
from masksolve.errors import FileFormatError, InvalidInput, MasksolveError
from masksolve.torch.pruning.blocks import Call, find_blocks
from masksolve.torch.pruning.plan import look
from masksolve.torch.pruning.products import Weights
from tests.torch.pruning import models

pytestmark = pytest.mark.filterwarnings("ignore:.* tokens calibrate:UserWarning")
QUICK: dict[str, Any] = {"algorithm": "wanda", "refit": False}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.make("llama", tmp_path / "model")


def refused(folder: Path, words: str, calibration: Any = None, **options: Any) -> None:
    """Try to prune; the sentence has the words, and nothing new lies beside the model."""
    before = {path.name for path in folder.parent.iterdir()}
    ids = models.inputs("llama")["input_ids"]
    pattern = options.pop("pattern", "4:8")
    with pytest.raises(MasksolveError) as caught:
        mst.prune_checkpoint(
            folder, folder.parent / "out", pattern, ids if calibration is None else calibration,
            **QUICK | options,
        )  # fmt: skip
    said = str(caught.value)
    assert "\n" not in said
    assert not [word for word in words.split() if word not in said], said
    assert {path.name for path in folder.parent.iterdir()} == before


def change(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def rewrite(folder: Path, change: Any) -> None:
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_calibration(model: Path, tmp_path: Path) -> None:
    refused(model, "samples got input_ids (0, 8)", torch.zeros(0, 8, dtype=torch.long))
    refused(model, "tokens whole numbers (12, 24) float32", torch.zeros(12, 24))
    refused(model, "token 64 vocabulary has 64", torch.full((2, 8), 64))
    refused(model, "token -1", torch.full((2, 8), -1))
    refused(model, "nothing", {})
    refused(model, "cannot read missing.txt", tmp_path / "missing.txt")
    refused(model, "held_out 1", held_out=1.0)
    images = {"pixel_values": torch.full((2, 3, 32, 32), float("nan"))}
    refused(model, "pixel_values must be finite", images)
    refused(
        model, "cannot be followed specify input_ids", {"pixel_values": torch.zeros(2, 3, 8, 8)}
    )


def test_folders(model: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere is not a folder")
    (model / "model.safetensors").rename(tmp_path / "weights")
    refused(model, "holds no safetensors file")
    (tmp_path / "weights").rename(model / "model.safetensors")
    (model / "config.json").rename(tmp_path / "config")
    refused(model, "holds no config.json")


def test_architectures(model: Path) -> None:
    change(model, architectures=["OwnForCausalLM"])
    refused(model, "OwnForCausalLM an architecture that transformers does not know")
    change(model, architectures=["LlamaForCausalLM"], model_type="of_my_own")
    refused(model, "configuration cannot be read of_my_own")


def test_quantised(model: Path) -> None:
    change(model, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    refused(model, "is quantised expected the model that it was made of")


def test_an_encoder_with_a_decoder(tmp_path: Path) -> None:
    import transformers

    config = transformers.T5Config(
        vocab_size=64, d_model=32, d_ff=64, num_layers=1, num_heads=4, d_kv=8
    )
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "model")
    refused(tmp_path / "model", "an encoder and a decoder masksolve.torch.adaprune")


def test_weights(model: Path) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    rewrite(model, lambda tensors: tensors[name].view(-1)[7].fill_(float("nan")))
    ids = models.inputs("llama")["input_ids"]
    out = model.parent / "out"
    with pytest.raises(InvalidInput, match=f"model.safetensors: tensor '{name}': .* finite"):
        mst.prune_checkpoint(model, out, "4:8", ids, **QUICK)
    assert not out.exists()


def test_weights_that_are_missing_or_do_not_fit(model: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    rewrite(model, lambda tensors: tensors.update({name: torch.zeros(48, 32)}))
    refused(model, "weights do not fit config.json up_proj")
    rewrite(model, lambda tensors: tensors.pop(name))
    refused(model, "lacks mlp.up_proj.weight")


def test_hidden_states(model: Path) -> None:
    name = "model.layers.0.mlp.down_proj.weight"
    rewrite(model, lambda tensors: tensors[name].fill_(3e38))
    refused(model, "model.layers.0 not finite")


def test_output(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    refused(model, "out holds other files")
    (out / "mine.txt").unlink()
    out.rmdir()
    out.write_text("mine")
    refused(model, "out is a file")
    assert out.read_text() == "mine"


def test_numbers(model: Path) -> None:
    refused(model, "memory 0.10GB is too little model.layers.0 takes", memory="100MB")
    refused(model, "mode must be sequential or parallel", mode="backwards")
    refused(model, "algorithm must be one of", algorithm="alps")
    refused(model, "device nothing cannot be used", device="nothing")
    refused(model, "no tensor 'x'", tensors=["x"])
    refused(model, "no weight can be pruned: outside the blocks", tensors=["lm_head.weight"])
    refused(model, "unknown method 'magic'", method="magic")


def test_a_full_disk(model: Path, monkeypatch: Any) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1, 1, 1000))
    refused(model, "needs GB more: its disk has 0.00 GB free")


def test_blocks_that_are_called_again(tmp_path: Path) -> None:
    import transformers

    config = transformers.AlbertConfig(
        vocab_size=64, embedding_size=16, hidden_size=32, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4,
    )  # fmt: skip
    transformers.AlbertForMaskedLM(config).save_pretrained(tmp_path / "model")
    refused(tmp_path / "model", "albert_layer_groups.0 is called more than once")


class Twice(nn.Module):
    """Uses a weight twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.linear(x))


def test_a_weight_that_is_used_twice() -> None:
    module = Twice()
    weights = Weights({"linear.weight": module.linear.weight})
    with pytest.raises(InvalidInput, match=r"twice.weight is multiplied more than once"):
        look(weights, {"linear.weight": "twice.weight"}, 4, lambda: module(torch.randn(4, 16)))


def test_modules_without_blocks_and_blocks_that_give_more() -> None:
    with pytest.raises(InvalidInput, match=r"Linear has no list of blocks \(a torch.nn.ModuleList"):
        find_blocks(nn.Linear(4, 4))
    block = nn.LSTM(4, 4)
    with pytest.raises(InvalidInput, match=r"x.0 \(LSTM\) gives more than hidden states"):
        Call("x.0", (torch.zeros(1, 2, 4),), {}).run(block)


def test_files_of_the_work_that_are_damaged(model: Path) -> None:
    out = model.parent / "out"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    ids = models.inputs("llama")["input_ids"]
    with pytest.raises(KeyboardInterrupt):
        mst.prune_checkpoint(model, out, "4:8", ids, progress=stop, **QUICK)
    work = model.parent / ".out.masksolve-prune"
    for path in (work / "states" / "00001").iterdir():
        path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FileFormatError, match=r"is damaged: remove"):
        mst.prune_checkpoint(model, out, "4:8", ids, **QUICK)
