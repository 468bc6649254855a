"""Training by Hugging Face's Trainer, with the real library."""

import copy
import json
import sys
from importlib import reload

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from tests.torch.states import assert_same
from tests.torch.training.callbacks import models
from tests.torch.training.callbacks.models import Recipe, samples

transformers = pytest.importorskip("transformers", minversion="4.50")
pytest.importorskip("accelerate")


CALLBACK = mst.HuggingFaceCallback


class Classifier(Recipe, nn.Module):
    """With a loss as Trainer wants it."""

    def forward(self, x, labels=None):
        logits = self.logits(x)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


def trainer_of(model, folder, *callbacks, **options):
    settings = {
        "output_dir": str(folder),
        "max_steps": 12,
        "per_device_train_batch_size": 8,
        "learning_rate": 0.02,
        "save_strategy": "no",
        "logging_steps": 4,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 3,
        "dataloader_pin_memory": False,
    }
    arguments = transformers.TrainingArguments(**(settings | options))
    data = [{"x": x, "labels": y} for x, y in zip(*samples(), strict=True)]
    return transformers.Trainer(
        model, arguments, train_dataset=data, eval_dataset=data, callbacks=list(callbacks)
    )


def fit(model, handle, folder, **options):
    trainer = trainer_of(model, folder, mst.HuggingFaceCallback(handle), **options)
    trainer.train()
    return trainer


def decaying(model):
    """Let the optimizer decay weights; return options for `fit`."""
    return {"weight_decay": 0.1, "max_steps": 2}


def sparse(**options):
    return models.sparse(Classifier(), **options)


def test_a_step_is_an_optimizer_step(tmp_path):
    model, handle = sparse()
    trainer = fit(model, handle, tmp_path, gradient_accumulation_steps=4)
    assert trainer.state.global_step == handle.steps == 12


def test_logs(tmp_path, capsys):
    model, handle = sparse()
    trainer = fit(model, handle, tmp_path)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert [entry["step"] for entry in logged] == [4, 8, 12]
    for entry in logged:
        record = handle.history.records[entry["step"]]
        for key in ("kept_share", "flip_rate", "seconds"):
            assert entry[f"masksolve/{key}"] == getattr(record.whole, key)
    last = trainer.state.log_history[-1]  # train_runtime and so on
    assert "masksolve/kept_share" not in last
    assert capsys.readouterr().out.count("masksolve/kept_share") == 3


def test_reporters_report_it_if_it_goes_first(tmp_path):
    seen = []

    class Reporter(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs=None, **others):
            seen.append("masksolve/flip_rate" in logs)

    model, handle = sparse()
    callback = mst.HuggingFaceCallback(handle)
    trainer = trainer_of(model, tmp_path, Reporter(), callback, max_steps=4)
    trainer.train()
    assert seen == [False, False]
    callback.before_reporters(trainer)
    trainer.train()
    assert seen == [False, False, True, False]


def test_no_logs_during_the_warm_up(tmp_path):
    model, handle = sparse(warmup=8)
    trainer = fit(model, handle, tmp_path)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert ["masksolve/kept_share" in entry for entry in logged] == [False, True, True]


@pytest.mark.parametrize("estimator", ["ste", "masked_decay"])
def test_resuming_is_as_if_never_stopped(tmp_path, estimator):
    options = {"refresh_every": 3, "estimator": estimator, "decay": 0.1}
    whole, handle = sparse(**options)
    fit(whole, handle, tmp_path, save_strategy="steps", save_steps=5)
    there = {path.name for path in tmp_path.glob("checkpoint-*")}
    assert there == {f"checkpoint-{step}" for step in (5, 10, 12)}
    saved = json.loads((tmp_path / "checkpoint-5" / "trainer_state.json").read_text())
    assert saved["stateful_callbacks"]["masksolve"] == {"steps": 5, "output_dir": str(tmp_path)}

    resumed, again = sparse(**options)
    trainer_of(resumed, tmp_path, mst.HuggingFaceCallback(again)).train(
        resume_from_checkpoint=str(tmp_path / "checkpoint-5")
    )
    assert again.steps == 12
    assert [record.step for record in again.history.records] == [6, 9, 12]
    assert_same(whole.state_dict(), resumed.state_dict())


def test_resuming_with_the_callbacks_states_restored_by_the_trainer(tmp_path):
    model, handle = sparse()
    fit(model, handle, tmp_path, save_strategy="steps", save_steps=6)
    model, handle = sparse()
    callback = mst.HuggingFaceCallback(handle)
    trainer = trainer_of(model, tmp_path, callback, restore_callback_states_from_checkpoint=True)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert callback in trainer.callback_handler.callbacks
    assert handle.steps == 12


def test_masked_decay_is_added_once_a_step(tmp_path):
    model, handle = sparse(estimator="masked_decay", decay=0.25, refresh_every=100)
    start = copy.deepcopy(model.state_dict())
    options = {"max_steps": 1, "gradient_accumulation_steps": 4, "weight_decay": 0.0}
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)

    def run(model, callbacks):
        trainer = trainer_of(model, tmp_path, *callbacks, **options)
        trainer.optimizer, trainer.lr_scheduler = optimizer, schedule
        trainer.train()

    run(model, [mst.HuggingFaceCallback(handle)])
    decayed = {layer.name: layer.weight.clone() for layer in handle.layers}
    model.load_state_dict(start)
    run(model, [])  # the same step without the callback: no decay
    for layer in handle.layers:
        first = start[f"{layer.name[:-7]}.parametrizations.weight.original"]
        lost = 0.25 * first * ~layer.mask
        torch.testing.assert_close(layer.weight - decayed[layer.name], lost)


def test_the_optimizer_may_call_step_itself(tmp_path):
    model, _ = sparse()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = mst.Handle(model, optimizer=optimizer)
    trainer = trainer_of(model, tmp_path, mst.HuggingFaceCallback(handle))
    trainer.optimizer = optimizer
    trainer.train()
    assert handle.steps == 12


def test_scores_see_gradients(tmp_path):
    seen = []

    def score(layer):
        seen.append(layer.gradient is not None)
        return layer.weight.abs()

    model, handle = sparse(score=score, select="body.0")
    fit(model, handle, tmp_path, max_steps=2)
    assert seen == [False, True, True]


def test_a_wrapped_model(tmp_path):
    model, handle = sparse()
    fit(nn.DataParallel(model), handle, tmp_path, max_steps=2, remove_unused_columns=False)
    assert handle.steps == 2


def test_a_pretrained_model_saves_and_loads(tmp_path):
    def tiny():
        torch.manual_seed(0)
        sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_labels": 2}
        sizes |= {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 8}
        config = transformers.BertConfig(**sizes)
        return transformers.BertForSequenceClassification(config)

    tokens = torch.randint(50, (16, 8), generator=torch.Generator().manual_seed(0))
    data = [{"input_ids": row, "labels": int(row[0] % 2)} for row in tokens]
    model, handle = models.sparse(tiny())
    trainer = trainer_of(
        model, tmp_path, mst.HuggingFaceCallback(handle), save_strategy="steps", save_steps=6
    )
    trainer.train_dataset = data
    trainer.train()

    other, again = models.sparse(tiny())
    resumed = trainer_of(other, tmp_path, mst.HuggingFaceCallback(again))
    resumed.train_dataset = data
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert again.steps == handle.steps == 12
    assert_same(model.state_dict(), other.state_dict())

    handle.finalize()
    model.save_pretrained(tmp_path / "final")
    plain = type(model).from_pretrained(tmp_path / "final")
    assert_same(model.state_dict(), plain.state_dict())


def test_without_transformers(monkeypatch):
    module = sys.modules["masksolve.torch.training.callbacks.huggingface"]
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match="pip install transformers accelerate"):
        reload(module)
