"""Checkpoints that Hugging Face's Trainer writes and resumes from, with the real library."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from tests.torch.states import assert_same
from tests.torch.training import tiny
from tests.torch.training.callbacks.models import sparse
from tests.torch.training.callbacks.test_huggingface import Classifier, trainer_of

SAVES = {"save_strategy": "steps", "save_steps": 2, "max_steps": 4}


def train(model, handle, folder, resume=None, data=None, **options):
    callback = mst.HuggingFaceCallback(handle)
    trainer = trainer_of(model, folder, callback, **(SAVES | options))
    if not isinstance(model, Classifier):
        trainer.train_dataset = trainer.eval_dataset = data or tiny.texts()
    trainer.train(resume_from_checkpoint=resume and str(resume))
    return trainer


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training whose masks are renewed at its second step alone."""
    folder = tmp_path_factory.mktemp("run")
    model, handle = sparse(tiny.llama(), refresh_every=3)
    train(model, handle, folder)
    return folder, model.state_dict()


def test_checkpoints_are_plain(run):
    folder = run[0] / "checkpoint-2"
    plain = tiny.llama()
    assert list(load_file(folder / "model.safetensors")) == sorted(plain.state_dict())
    _, report = type(plain).from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert mst.load_masks(folder / "model.masks").keys() == sparse(tiny.llama())[1].masks.keys()


def test_resuming_finds_the_masks_without_solving(run, tmp_path, monkeypatch):
    folder, state = run
    model, handle = sparse(tiny.llama(seed=1), refresh_every=3)
    train(model, handle, tmp_path, folder / "checkpoint-2")  # of another output_dir
    assert [record.step for record in handle.history.records] == [3]
    assert_same(model.state_dict(), state)


def test_a_checkpoint_that_was_moved(run, tmp_path):
    folder, state = run
    moved = tmp_path / "moved"
    shutil.copytree(folder / "checkpoint-2", moved)
    text = (moved / "trainer_state.json").read_text()
    (moved / "trainer_state.json").write_text(text.replace(str(folder), str(tmp_path / "gone")))
    model, handle = sparse(tiny.llama(), refresh_every=3)
    words = r"no masks for the checkpoint of step 2: .* resume_from_checkpoint=|no masks for"
    with pytest.raises(InvalidInput, match=words):
        train(model, handle, tmp_path / "next", moved)
    model, handle = sparse(tiny.llama(), refresh_every=3)
    options = {"resume_from_checkpoint": str(moved)}
    train(model, handle, tmp_path / "next", moved, **options)
    assert_same(model.state_dict(), state)


def test_a_folder_of_another_training_is_passed_over(run, tmp_path):
    folder, state = run
    other = tmp_path / "checkpoint-2"  # of the same step, in the folder of this training
    model, handle = sparse(tiny.llama(seed=1))
    other.mkdir()
    model.save_pretrained(other)
    model, handle = sparse(tiny.llama(), refresh_every=3)
    train(model, handle, tmp_path, folder / "checkpoint-2")
    assert_same(model.state_dict(), state)


def test_another_pattern(run, tmp_path):
    model = tiny.llama()
    handle = mst.sparsify(model, "1:4")
    with pytest.raises(InvalidInput, match="the mask is 2:4: the model's is 1:4 at step 2"):
        train(model, handle, tmp_path, run[0] / "checkpoint-2")


def test_experts_that_files_hold_one_by_one(tmp_path):
    model, handle = sparse(tiny.mixtral(), refresh_every=3)
    train(model, handle, tmp_path)
    names = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    assert any(".experts.0." in name for name in names)
    resumed, handle = sparse(tiny.mixtral(seed=1), refresh_every=3)
    train(resumed, handle, tmp_path, tmp_path / "checkpoint-2")
    assert_same(resumed.state_dict(), model.state_dict())


def test_a_part_of_the_model(tmp_path):
    model = tiny.llama()
    _, handle = sparse(model.model, refresh_every=3)
    train(model, handle, tmp_path)
    resumed = tiny.llama(seed=1)
    _, handle = sparse(resumed.model, refresh_every=3)
    train(resumed, handle, tmp_path, tmp_path / "checkpoint-2")
    assert_same(resumed.state_dict(), model.state_dict())


def test_a_module_of_ones_own(tmp_path):
    model, handle = sparse(Classifier(), refresh_every=3)
    train(model, handle, tmp_path)
    Classifier().load_state_dict(load_file(tmp_path / "checkpoint-2" / "model.safetensors"))
    resumed, handle = sparse(Classifier(), refresh_every=3)
    train(resumed, handle, tmp_path, tmp_path / "checkpoint-2")
    assert_same(resumed.state_dict(), model.state_dict())


BEST = {
    "eval_strategy": "steps",
    "eval_steps": 2,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
    "greater_is_better": True,  # so that it is the first
}


def test_the_best_model_has_its_masks(tmp_path):
    model, handle = sparse(tiny.llama())
    trainer = train(model, handle, tmp_path, **BEST)
    best = tmp_path / "checkpoint-2"
    assert trainer.state.best_model_checkpoint == str(best)
    assert_same(handle.masks, mst.load_masks(best / "model.masks"))
    for layer in handle.layers:
        weights = load_file(best / "model.safetensors")
        assert torch.equal(layer.original, weights[layer.name])


def test_the_best_model_of_a_ramp_is_solved_anew(tmp_path):
    model, handle = sparse(tiny.llama(), ramp=6)
    with pytest.warns(UserWarning, match="masks are solved anew for the best weights"):
        train(model, handle, tmp_path, **BEST)
    for layer in handle.layers:
        best = mst.solve_mask(layer.weight, "2:4")
        assert (layer.weight.abs() * best).sum() == (layer.weight.abs() * layer.mask).sum()


def test_plain_weights_without_a_checkpoint_are_solved_anew(tmp_path):
    model, handle = sparse(tiny.llama(), refresh_every=100)
    callback = mst.HuggingFaceCallback(handle)
    model.load_state_dict(tiny.llama(seed=1).state_dict())
    trainer = trainer_of(model, tmp_path, callback, max_steps=1, learning_rate=0.0)
    trainer.train_dataset = tiny.texts()
    trainer.train()
    fresh = sparse(tiny.llama(seed=1))[1]
    assert_same(handle.masks, fresh.masks)


def test_plain_weights_after_a_training_are_noticed(tmp_path):
    model, handle = sparse(tiny.llama())
    train(model, handle, tmp_path)
    model.load_state_dict(tiny.llama(seed=1).state_dict())
    for use in (handle.finalize, lambda: mst.dense_state_dict(model)):
        with pytest.raises(InvalidInput, match=r"q_proj.weight was loaded without its mask: call"):
            use()
    handle.refresh()
    assert_same(handle.finalize(), sparse(tiny.llama(seed=1))[1].masks)


def test_one_trainer_trains_and_resumes(tmp_path):
    model, handle = sparse(tiny.llama())
    trainer = train(model, handle, tmp_path)
    trainer.args.max_steps = 6
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert handle.steps == 6
    handle.finalize()
