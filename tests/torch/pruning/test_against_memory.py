"""Pruned block by block is what the whole model in memory would be, and runs as that."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors import safe_open

import masksolve.torch as mst
from masksolve.torch.fitting import FitSettings
from masksolve.torch.pruning.needs import Needs
from masksolve.torch.pruning.states import States
from tests.torch.pruning import models, naive

pytestmark = pytest.mark.filterwarnings("ignore:.* tokens calibrate:UserWarning")


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
@pytest.mark.parametrize("waiting", [True, False])
def test_a_llama_is_pruned_as_by_the_straight_loop(
    tmp_path: Any, monkeypatch: Any, mode: Any, waiting: bool
) -> None:
    if not waiting:
        never_wait(monkeypatch)
    folder = models.make("llama", tmp_path / "model", shards="20KB")
    ids = models.inputs("llama")["input_ids"]
    dense = models.load(folder, "llama")
    straight = deepcopy(dense)
    settings = FitSettings("4:8", algorithm="wanda", damping=0.1)
    naive.prune_llama(dense, straight, ids, settings, mode)

    mst.prune_checkpoint(
        folder, tmp_path / "out", "4:8", ids, algorithm="wanda", damping=0.1, mode=mode,
        held_out=0,
    )  # fmt: skip
    found = models.load(tmp_path / "out", "llama").state_dict()
    for name, wanted in straight.state_dict().items():
        torch.testing.assert_close(found[name], wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "phi", "vit"])
def test_runs_that_begin_anew_give_the_same_bytes(
    tmp_path: Any, monkeypatch: Any, family: str
) -> None:
    folder, x = models.make(family, tmp_path / "model"), models.inputs(family)
    mst.prune_checkpoint(folder, tmp_path / "waiting", "4:8", x, rounds=2)
    never_wait(monkeypatch)
    mst.prune_checkpoint(folder, tmp_path / "anew", "4:8", x, rounds=2)
    one, other = (tensors(tmp_path / name) for name in ("waiting", "anew"))
    if family == "phi":  # three terms of a sum are added in another order
        assert all(torch.allclose(one[name], other[name], atol=1e-3) for name in one)
    else:
        assert all(torch.equal(one[name], other[name]) for name in one)


def never_wait(monkeypatch: Any) -> None:
    of = Needs.of.__func__  # type: ignore[attr-defined]
    without = classmethod(lambda kind, *args: replace(of(kind, *args), waiting=False, room=1))
    monkeypatch.setattr(Needs, "of", without)


def tensors(folder: Any) -> dict[str, torch.Tensor]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("family", [*models.FAMILIES])
def test_what_the_run_saw_is_what_the_folder_computes(
    tmp_path: Any, monkeypatch: Any, family: str
) -> None:
    seen: dict[tuple[str, int], torch.Tensor] = {}
    put = States.put

    def record(self: States, stream: str, batch: int, states: torch.Tensor) -> None:
        seen[stream, batch] = states
        put(self, stream, batch, states)

    monkeypatch.setattr(States, "put", record)
    folder = models.make(family, tmp_path / "model")
    x = models.inputs(family, samples=8)
    report = mst.prune_checkpoint(
        folder, tmp_path / "out", "4:8", x, algorithm="wanda", damping=0.1, held_out=0
    )
    model = models.load(tmp_path / "out", family)
    states: list[torch.Tensor] = []
    last = model.get_submodule(report.blocks[-1]["name"])
    last.register_forward_hook(lambda _, args, out: states.append(out))
    with torch.no_grad():
        model(**x)
    states = [out if isinstance(out, torch.Tensor) else out[0] for out in states]
    torch.testing.assert_close(seen["pruned", 0], states[0], rtol=1e-4, atol=1e-5)
    assert (seen["pruned", 0] - seen["dense", 0]).abs().max() > 1e-3
