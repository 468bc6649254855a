"""A run that stops can go on: to the same end, without doing again what was done."""

import signal
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.torch._adaprune import prune
from tests.torch._adaprune.models import Recurrent, Residual, Sequences, images, mlp, related


def batches():
    return [related(40, 16, seed=k) for k in range(3)]


def stop_after(weights):
    def progress(done, total):
        if done == weights:
            raise KeyboardInterrupt

    return progress


def same(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (_, a), b in pairs)


def sequences():
    return [related(4, 5, 16, seed=k) for k in range(2)]


CASES = {
    "sequential": (mlp, batches, {}),
    "parallel": (mlp, batches, {"mode": "parallel"}),
    "adam": (mlp, batches, {"optimizer": "adam", "iterations": 40}),
    "scores": (mlp, batches, {"pattern": "4:8,plain", "score": "wanda"}),
    "norms": (Residual, images, {"pattern": "2:4"}),
    "attention": (Sequences, sequences, {}),
    # The first of a cell's weights changes what the second multiplies in the next step.
    "cell": (Recurrent, lambda: [x[..., :8] for x in sequences()], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_where_it_stopped(case, tmp_path, monkeypatch):
    make, data, options = CASES[case]
    options = {"pattern": "4:8"} | options
    whole = make()
    expected = mst.adaprune(whole, data(), **options)
    fitted, fit = [], prune.fit
    noted = lambda weight, *others: fitted.append(weight.name) or fit(weight, *others)  # noqa: E731
    monkeypatch.setattr(prune, "fit", noted)
    dense, names = make(), [layer.name for layer in expected.layers]
    for stop in (1, 3)[: len(names) - 1]:
        model = deepcopy(dense)
        with pytest.raises(KeyboardInterrupt):
            mst.adaprune(model, data(), checkpoint=tmp_path, progress=stop_after(stop), **options)
        assert same(model, dense), "after a failure the model is as it was"
    model = deepcopy(dense)
    found = mst.adaprune(model, data(), checkpoint=tmp_path, **options)
    assert fitted == names, "each once"
    assert same(model, whole)
    assert all(torch.equal(found.masks[name], mask) for name, mask in expected.masks.items())
    errors = [[(row.name, row.error) for row in run.layers] for run in (found, expected)]
    assert errors[0] == errors[1]
    again = deepcopy(dense)
    mst.adaprune(again, data(), checkpoint=tmp_path, **options)
    assert len(fitted) == len(names)
    assert same(again, whole)


def done(folder, model=None, data=None, **options):
    options = {"pattern": "4:8", "checkpoint": folder} | options
    return mst.adaprune(model or mlp(), data or batches(), **options)


def test_other_runs_are_refused(tmp_path):
    done(tmp_path)
    for options, said in [
        ({"ridge": 0.5}, "its ridge was 0.1, not 0.5"),
        ({"mode": "parallel"}, "its mode was 'sequential', not 'parallel'"),
        ({"method": "greedy"}, "its method was 'exact', not 'greedy'"),
        ({"score": lambda layer: layer.weight}, "its score was 'magnitude', not .*lambda"),
        ({"data": batches()[:2]}, "it had 3 batches, not 2"),
        ({"data": [*batches()[:2], related(40, 16, seed=9)]}, "its batch 2 held other values"),
        ({"pattern": "2:4"}, "0.weight was to be 4:8, not 2:4"),
        ({"select": "0"}, "it pruned 3 other weights"),
        ({"model": mlp(seed=1)}, "0.weight had other values before it was pruned"),
    ]:
        with pytest.raises(ms.InvalidInput, match=f"checkpoint .* is of another run: {said}"):
            done(tmp_path, **options)


def test_what_is_done_takes_no_passes(tmp_path):
    model, passes = mlp(), []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    done(tmp_path)
    done(tmp_path, model=model)
    assert len(passes) == len(batches()), "a look at what the model runs"


def test_damage_is_said(tmp_path):
    done(tmp_path)
    (file,) = tmp_path.glob("2.weight-*.safetensors")
    data = file.read_bytes()
    for damaged in (data[: len(data) // 2], b"", b"x" * 100):
        file.write_bytes(damaged)
        with pytest.raises(ms.MasksolveError, match=r"2.weight.* is damaged: remove it"):
            done(tmp_path)
    file.unlink()
    assert len(done(tmp_path).layers) == 3
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ms.MasksolveError, match=r"run.json is damaged"):
        done(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ms.MasksolveError, match="cannot use checkpoint"):
        done(tmp_path / "file")


def test_memory_and_progress(tmp_path):
    seen = []
    model, other = mlp(), mlp()
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    told = lambda *at: seen.append(at)  # noqa: E731
    pruned = mst.adaprune(model, batches(), "4:8", mode="parallel", progress=told)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(passes) == 2 * 3, "a look, and one pass for all"
    mst.adaprune(other, batches(), "4:8", mode="parallel", memory=1)
    assert same(model, other)
    assert [row.error < row.one_shot for row in pruned.layers] == [True] * 3


def test_sequential_mode_takes_two_short_passes_for_each_input():
    model, reached = mlp(), []
    for name, module in model.named_children():
        module.register_forward_hook(lambda *_, name=name: reached.append(name))
    mst.adaprune(model, [related(40, 16)], "4:8")
    # The look at all; nothing for the first; what is before the second, twice; the third.
    assert "".join(reached) == "01234" + "01" * 2 + "0123" * 2


KILLED = """
import os, sys
import masksolve.torch as mst
from tests.torch._adaprune.test_checkpoint import batches, mlp
mst.adaprune(mlp(), batches(), "4:8", checkpoint=sys.argv[1],
             progress=lambda done, total: done == 2 and os.kill(os.getpid(), 9))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_process_is_taken_up_where_it_was(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "run")]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "run").glob("*.safetensors"))) == 2
    model, expected = mlp(), mlp()
    mst.adaprune(model, batches(), "4:8", checkpoint=tmp_path / "run")
    mst.adaprune(expected, batches(), "4:8")
    assert same(model, expected)
