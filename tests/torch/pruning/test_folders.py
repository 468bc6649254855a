"""The folder that comes out: all as it was but weights, which obey their masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

import masksolve as ms
import masksolve.torch as mst
from masksolve.checkpoints.manifest import verify_checkpoint
from masksolve.cli.main import main
from masksolve.torch.arrays import as_array
from masksolve.torch.pruning import output
from tests.torch.pruning import models

pytestmark = pytest.mark.filterwarnings("ignore:.* tokens calibrate:UserWarning")
QUICK: dict[str, Any] = {"algorithm": "wanda", "damping": 0.1}


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return found


def prune(tmp_path: Path, family: str, pattern: str = "4:8", **options: Any) -> Any:
    folder = tmp_path / "model"
    if not folder.exists():
        models.make(family, folder, shards="20KB")
    return mst.prune_checkpoint(
        folder, tmp_path / "out", pattern, models.inputs(family), **QUICK | options
    )


def test_all_else_is_as_it_was(tmp_path: Path) -> None:
    folder = models.make("llama", tmp_path / "model", shards="20KB", dtype=torch.bfloat16)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "sub").mkdir()
    (folder / "sub" / "note.txt").write_text("mine")
    report = prune(tmp_path, "llama")
    out = tmp_path / "out"
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            assert (out / path.relative_to(folder)).read_bytes() == path.read_bytes()
    ours = {"masksolve", "masksolve.json"}
    assert {path.name for path in out.iterdir()} == {p.name for p in folder.iterdir()} | ours
    before, after = tensors(folder), tensors(out)
    pruned = {layer["name"] for layer in report.layers}
    for name, was in before.items():
        assert after[name].dtype == was.dtype == torch.bfloat16
        assert torch.equal(after[name], was) == (name not in pruned)
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as one, safe_open(out / path.name, "pt") as other:
            assert one.keys() == other.keys()
            assert other.metadata()["format"] == "pt"
    assert sum(before[name].numel() for name in pruned) == report.pruned
    assert verify_checkpoint(out)


@pytest.mark.parametrize(
    ("family", "pattern"),
    [
        ("llama", "4:8"),
        ("mixtral", "4:8"),
        ("mixtral", "2:4,plain"),
        ("gpt_oss", "2:4,plain"),
        ("vit", "8:16"),
        ("opt", "1:2,at-most"),
    ],
)
def test_masks_and_zeros_obey(tmp_path: Path, family: str, pattern: str, capsys: Any) -> None:
    report = prune(tmp_path, family, pattern)
    out = tmp_path / "out"
    assert main(["check", str(out), "--checksums"]) == 0
    assert main(["check", str(out / "masksolve" / "masks.safetensors")]) == 0
    masks, weights = ms.load_masks(out / "masksolve" / "masks.safetensors"), tensors(out)
    assert sum(mask.mask.size for mask in masks.values()) == report.pruned
    for name, stored in masks.items():
        array = as_array(weights[name])
        stored.check(array)
        assert not np.any(array[~stored.mask])
        assert stored.pattern == ms.Pattern.parse(pattern)
        assert np.mean(stored.mask) <= 0.5
    report_of = json.loads((out / "masksolve" / "report.json").read_text())
    assert report_of["blocks"] == report.blocks


def test_plain_masks_run_along_the_inputs(tmp_path: Path) -> None:
    """GPT-2 has weights the other way round."""
    prune(tmp_path, "gpt2", "2:4,plain")
    weight = tensors(tmp_path / "out")["transformer.h.0.attn.c_attn.weight"]
    kept = (weight.T.reshape(96, -1, 4) != 0).sum(-1)
    assert kept.max() == 2


def test_errors_shrink_where_weights_are_fitted(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("matplotlib")
    drawn: list[Path] = []
    monkeypatch.setattr(output, "draw", lambda blocks, path, title: drawn.append(path))
    report = prune(tmp_path, "llama", algorithm="admm", damping=None)
    assert drawn[0].name == "report.png"
    for layer in report.layers:
        errors = layer["errors"]
        assert 0 < errors["after"] < errors["before"] < 1
        assert 0 < errors["held_out_after"] < errors["held_out_before"]
        assert layer["damping"] > 0
    for block in report.blocks:
        assert 0 < block["errors"]["fit"] < 1


def test_sequential_loses_less_than_parallel(tmp_path: Path) -> None:
    def lost(mode: str) -> float:
        out = tmp_path / mode
        mst.prune_checkpoint(folder, out, "4:8", x, mode=mode, held_out=0, **QUICK)
        dense, pruned = models.load(folder, "llama"), models.load(out, "llama")
        with torch.no_grad():
            return float((pruned(**x).logits - dense(**x).logits).square().mean())

    folder, x = models.make("llama", tmp_path / "model"), models.inputs("llama", 64)
    assert lost("sequential") < 0.9 * lost("parallel")


def test_what_is_left_is_named(tmp_path: Path) -> None:
    report = prune(tmp_path, "bert", exclude=["*.key.weight"])
    why = dict(report.left)
    assert why["bert.encoder.layer.0.attention.self.key.weight"] == "it is excluded"
    assert why["cls.predictions.transform.dense.weight"] == "it lies outside the blocks"
    named = {layer["name"] for layer in report.layers} | set(why)
    matrices = {name for name, x in tensors(tmp_path / "model").items() if x.ndim > 1}
    assert named == matrices


def test_experts_that_no_token_comes_to(tmp_path: Path) -> None:
    folder, name = models.make("mixtral", tmp_path / "model"), "block_sparse_moe.gate.weight"
    path = folder / "model.safetensors"
    changed = tensors(folder)
    from safetensors.torch import save_file

    gate = changed[f"model.layers.0.{name}"]
    changed[f"model.layers.0.{name}"] = torch.zeros_like(gate)  # the first ones are chosen
    save_file(changed, path, metadata={"format": "pt"})
    with pytest.warns(UserWarning, match=r"no token came to .* and 3 more"):
        report = prune(tmp_path, "mixtral")
    unseen = [layer["name"] for layer in report.layers if not layer["seen"]]
    assert len(unseen) == 4
    assert main(["check", str(tmp_path / "out")]) == 0


def test_experts_a_few_at_a_time_are_the_same(tmp_path: Path, monkeypatch: Any) -> None:
    prune(tmp_path, "qwen3_moe")
    (tmp_path / "out").rename(tmp_path / "together")
    from tests.torch.pruning.test_against_memory import never_wait

    never_wait(monkeypatch)  # and leaves no room for more than one
    prune(tmp_path, "qwen3_moe")
    one, other = tensors(tmp_path / "together"), tensors(tmp_path / "out")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: Any) -> None:
    import socket

    def refuse(*args: Any, **named: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    prune(tmp_path, "llama")
