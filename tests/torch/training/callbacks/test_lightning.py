"""Training by Lightning's Trainer, with the real library."""

import sys
from importlib import reload

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst

L = pytest.importorskip("lightning.pytorch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]


class Recipe:
    """What is the same for both packages' modules."""

    def __init__(self, optimizer=torch.optim.Adam, lr=0.02):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)
        self.make, self.lr = optimizer, lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.body(x).relu()), y)

    def configure_optimizers(self):
        return self.make(self.parameters(), self.lr)


class Classifier(Recipe, L.LightningModule):
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
    x = torch.randn(48, 16, generator=torch.Generator().manual_seed(1))
    data = torch.utils.data.TensorDataset(x, x[:, :3].argmax(1))
    return torch.utils.data.DataLoader(data, batch_size=8)


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


def sparse(module=None, **options):
    model = module or Classifier()
    return model, mst.sparsify(model, "2:4", **options)


def assert_same(model, other):
    for key, value in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, rtol=0, atol=0)


def test_masks_change_while_it_trains(tmp_path):
    model, handle = sparse()
    before = {name: mask.clone() for name, mask in handle.masks.items()}
    trainer_of(tmp_path, mst.LightningCallback(handle)).fit(model, loader())
    assert handle.steps == 12
    assert [record.step for record in handle.history.records] == list(range(13))
    for name, mask in handle.masks.items():
        assert (mask != before[name]).any()
        ms.check_mask(mask.numpy(), "2:4")
    for layer in handle.layers:  # of the weights as they are now, not a step before
        exact = mst.solve_mask(layer.weight, "2:4")
        assert (layer.weight.abs() * exact).sum() == (layer.weight.abs() * layer.mask).sum()


def test_a_step_is_an_optimizer_step(tmp_path):
    model, handle = sparse()
    options = {"accumulate_grad_batches": 4, "max_steps": 5}  # 6 batches an epoch: 4 and 2
    trainer = trainer_of(tmp_path, mst.LightningCallback(handle), **options)
    trainer.fit(model, loader())
    assert trainer.global_step == handle.steps == 5


def test_two_optimizers_in_a_batch_are_one_step(tmp_path):
    model, handle = sparse(TwoOptimizers())
    trainer_of(tmp_path, mst.LightningCallback(handle)).fit(model, loader())
    assert handle.steps == 6  # of 12 steps that the Trainer counts


def test_logs(tmp_path):
    logger = L.loggers.CSVLogger(tmp_path)
    model, handle = sparse()
    trainer = trainer_of(tmp_path, mst.LightningCallback(handle), logger=logger)
    trainer.fit(model, loader())
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
    trainer = trainer_of(tmp_path, mst.LightningCallback(handle))
    trainer.fit(model, loader())
    assert trainer.callback_metrics == {}


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
    assert_same(whole, resumed)


def one_sgd_step(folder, estimator, **options):
    """Return the model after a step with rate 1, and what its masks prune at the start."""
    model, handle = sparse(
        Classifier(torch.optim.SGD, 1.0), estimator=estimator, decay=0.25, refresh_every=100
    )
    pruned = {layer.name: layer.weight * ~layer.mask for layer in handle.layers}
    trainer = trainer_of(folder, mst.LightningCallback(handle), max_steps=1, **options)
    trainer.fit(model, loader())
    return handle, pruned


def test_masked_decay_is_added_once_a_step(tmp_path):
    # Lightning computes gradients inside optimizer.step: hooks of the step come too early.
    plain, pruned = one_sgd_step(tmp_path, "ste", accumulate_grad_batches=4)
    decayed, _ = one_sgd_step(tmp_path, "masked_decay", accumulate_grad_batches=4)
    for one, other in zip(plain.layers, decayed.layers, strict=True):
        torch.testing.assert_close(one.weight - other.weight, 0.25 * pruned[one.name])


def test_masked_decay_is_not_added_by_another_optimizer(tmp_path):
    found = {}
    for estimator in ("ste", "masked_decay"):
        model = TwoOptimizers()
        handle = mst.sparsify(model.body, "2:4", estimator=estimator, decay=0.25)
        found[estimator] = handle
        pruned = {layer.name: layer.weight * ~layer.mask for layer in handle.layers}
        trainer_of(tmp_path, mst.LightningCallback(handle), max_steps=2).fit(model, loader())
    for one, other in zip(found["ste"].layers, found["masked_decay"].layers, strict=True):
        torch.testing.assert_close(one.weight - other.weight, 0.25 * pruned[one.name])


def test_masked_decay_under_a_loss_scale_that_the_optimizer_takes_out(tmp_path):
    def fused(parameters, lr):
        return torch.optim.SGD(parameters, lr, fused=True)

    found = []
    for estimator in ("ste", "masked_decay"):
        model, handle = sparse(
            Classifier(fused, 1.0), estimator=estimator, decay=0.25, refresh_every=100
        )
        pruned = {layer.name: layer.weight * ~layer.mask for layer in handle.layers}
        scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
        half = L.plugins.MixedPrecision("16-mixed", "cpu", scaler=scaler)
        callback = mst.LightningCallback(handle)
        trainer_of(tmp_path, callback, max_steps=1, plugins=[half]).fit(model, loader())
        found.append(handle)
    for one, other in zip(found[0].layers, found[1].layers, strict=True):
        torch.testing.assert_close(
            one.weight - other.weight, 0.25 * pruned[one.name], rtol=0, atol=1e-6
        )


def test_a_part_of_the_module(tmp_path):
    model = Classifier()
    handle = mst.sparsify(model.body, "2:4")
    trainer_of(tmp_path, mst.LightningCallback(handle), max_steps=2).fit(model, loader())
    assert handle.steps == 2


def test_fitting_twice(tmp_path):
    model, handle = sparse()
    callback = mst.LightningCallback(handle)
    for _ in range(2):
        trainer_of(tmp_path, callback, max_steps=3).fit(model, loader())
    assert handle.steps == 6


def test_another_model(tmp_path):
    _, handle = sparse()
    trainer = trainer_of(tmp_path, mst.LightningCallback(handle))
    with pytest.raises(ms.InvalidInput, match=r"Classifier does not hold the body\.0\.weight"):
        trainer.fit(Classifier(), loader())


def test_a_finalized_model(tmp_path):
    model, handle = sparse()
    handle.finalize()
    with pytest.raises(ms.InvalidInput, match="finalized"):
        trainer_of(tmp_path, mst.LightningCallback(handle)).fit(model, loader())


def test_the_older_package_takes_the_callback(tmp_path):
    older = pytest.importorskip("pytorch_lightning")

    class Module(Recipe, older.LightningModule):
        pass

    model, handle = sparse(Module())
    trainer_of(tmp_path, mst.LightningCallback(handle), library=older).fit(model, loader())
    assert handle.steps == 12


def test_without_lightning(monkeypatch):
    module = sys.modules["masksolve.torch.training.callbacks.lightning"]
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    reload(module)  # by the older package
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(ImportError, match="pip install lightning"):
        reload(module)
