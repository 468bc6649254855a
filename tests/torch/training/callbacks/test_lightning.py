"""Training by Lightning's Trainer, with the real library."""

import sys
from importlib import reload

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from tests.torch.states import assert_same
from tests.torch.training.callbacks import models
from tests.torch.training.callbacks.models import Recipe, samples

L = pytest.importorskip("lightning.pytorch")

pytestmark = models.QUIET


CALLBACK = mst.LightningCallback


class Steps(Recipe):
    """What is the same for both packages' modules."""

    def __init__(self, optimizer=torch.optim.Adam, lr=0.02):
        super().__init__()
        self.make, self.lr = optimizer, lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.logits(x), y)

    def configure_optimizers(self):
        return self.make(self.parameters(), self.lr)


class Classifier(Steps, L.LightningModule):
    pass


class TwoOptimizers(Classifier):
    """Steps for the head and then for the body, in every batch."""

    def __init__(self):
        super().__init__(torch.optim.SGD, 1.0)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizers = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        for optimizer in optimizers:
            optimizer.step()

    def configure_optimizers(self):
        return [self.make(part.parameters(), self.lr) for part in (self.head, self.body)]


def loader():
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*samples()), batch_size=8)


def trainer_of(folder, *callbacks, library=L, **options):
    settings = {
        "accelerator": "cpu",
        "default_root_dir": folder,
        "max_steps": 12,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 4,
    }
    return library.Trainer(callbacks=list(callbacks), **(settings | options))


def fit(model, handle, folder, **options):
    trainer = trainer_of(folder, mst.LightningCallback(handle), **options)
    trainer.fit(model, loader())
    return trainer


def decaying(model):
    """Let the optimizer decay weights; return options for `fit`."""
    model.make = torch.optim.AdamW
    return {"max_steps": 2}


def sparse(module=None, **options):
    return models.sparse(module or Classifier(), **options)


def test_a_step_is_an_optimizer_step(tmp_path):
    model, handle = sparse()
    options = {"accumulate_grad_batches": 4, "max_steps": 5}  # 6 batches an epoch: 4 and 2
    trainer = fit(model, handle, tmp_path, **options)
    assert trainer.global_step == handle.steps == 5


def test_two_optimizers_in_a_batch_are_one_step(tmp_path):
    model, handle = sparse(TwoOptimizers())
    fit(model, handle, tmp_path)
    assert handle.steps == 6  # of 12 steps that the Trainer counts


def test_logs(tmp_path):
    logger = L.loggers.CSVLogger(tmp_path)
    model, handle = sparse()
    trainer = fit(model, handle, tmp_path, logger=logger)
    lines = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().split()
    names, *rows = [line.split(",") for line in lines]
    assert [row[names.index("step")] for row in rows] == ["3", "7", "11"]  # counted from 0
    for row, step in zip(rows, (4, 8, 12), strict=True):
        for key in ("kept_share", "flip_rate", "seconds"):
            logged = float(row[names.index(f"masksolve/{key}")])
            assert logged == pytest.approx(getattr(handle.history.records[step].whole, key))
    assert trainer.callback_metrics["masksolve/kept_share"] > 0.5


def test_no_logs_during_the_warm_up(tmp_path):
    model, handle = sparse(warmup=100)
    assert fit(model, handle, tmp_path).callback_metrics == {}


@pytest.mark.parametrize("estimator", ["ste", "masked_decay"])
def test_resuming_is_as_if_never_stopped(tmp_path, estimator):
    def fit(**options):
        model, handle = sparse(refresh_every=4, estimator=estimator, decay=0.1)
        saver = L.callbacks.ModelCheckpoint(
            tmp_path, "{step}", every_n_train_steps=6, save_top_k=-1
        )
        callbacks = saver, mst.LightningCallback(handle)
        trainer = trainer_of(
            tmp_path, *callbacks, max_steps=16, enable_checkpointing=True, accumulate_grad_batches=2
        )
        trainer.fit(model, loader(), **options)
        assert handle.steps == 16
        return model, [record.step for record in handle.history.records]

    whole, steps = fit()
    assert steps == [0, 4, 8, 12, 16]
    resumed, steps = fit(ckpt_path=tmp_path / "step=6.ckpt")  # the end of an epoch
    assert steps == [8, 12, 16]  # a history of its own
    assert_same(whole.state_dict(), resumed.state_dict())


def half():
    """Half precision by another name: under a loss scale."""
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    return L.plugins.MixedPrecision("16-mixed", "cpu", scaler=scaler)


def plain():
    return Classifier(torch.optim.SGD, 1.0)


def fused():
    """An optimizer that takes the scale out itself."""
    return Classifier(lambda parameters, lr: torch.optim.SGD(parameters, lr, fused=True), 1.0)


@pytest.mark.parametrize(
    ("make", "part", "options"),
    [
        # Lightning computes gradients inside optimizer.step: hooks of the step come too early.
        (plain, "", lambda: {"max_steps": 1, "accumulate_grad_batches": 4}),
        (TwoOptimizers, "body", lambda: {"max_steps": 2}),
        (fused, "", lambda: {"max_steps": 1, "plugins": [half()]}),
    ],
    ids=["once a step", "not by another optimizer", "under a loss scale"],
)
def test_masked_decay_is_added_once(tmp_path, make, part, options):
    """A step with rate 1, with the decay and without: they differ by it."""
    found = []
    for estimator in ("ste", "masked_decay"):
        model = make()
        handle = mst.sparsify(
            model.get_submodule(part), "2:4", estimator=estimator, decay=0.25, refresh_every=100
        )
        pruned = {layer.name: layer.weight * ~layer.mask for layer in handle.layers}
        fit(model, handle, tmp_path, **options())
        found.append(handle)
    for one, other in zip(found[0].layers, found[1].layers, strict=True):
        torch.testing.assert_close(
            one.weight - other.weight, 0.25 * pruned[one.name], rtol=0, atol=1e-6
        )


def test_fitting_twice(tmp_path):
    model, handle = sparse()
    callback = mst.LightningCallback(handle)
    for _ in range(2):
        trainer_of(tmp_path, callback, max_steps=3).fit(model, loader())
    assert handle.steps == 6


def test_the_older_package_takes_the_callback(tmp_path):
    older = pytest.importorskip("pytorch_lightning")

    class Module(Steps, older.LightningModule):
        pass

    model, handle = sparse(Module())
    fit(model, handle, tmp_path, library=older)
    assert handle.steps == 12


def test_without_lightning(monkeypatch):
    module = sys.modules["masksolve.torch.training.callbacks.lightning"]
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    reload(module)  # by the older package
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(ImportError, match="pip install lightning"):
        reload(module)
