"""Averages that Lightning's callbacks keep, beside masks."""

import pytest
import torch
from torch.optim.swa_utils import get_ema_avg_fn

import masksolve.torch as mst
from masksolve.torch.validity import breach_of
from tests.refusals import says
from tests.torch.states import assert_same
from tests.torch.trained import equal, solved
from tests.torch.training.callbacks import models
from tests.torch.training.callbacks.test_lightning import Classifier, L, loader, trainer_of

averaging = pytest.importorskip("lightning.pytorch.callbacks.weight_averaging")

pytestmark = models.QUIET


class Ema(averaging.WeightAveraging):
    """An average of every step."""

    def __init__(self, **options):
        super().__init__(avg_fn=get_ema_avg_fn(0.9), **options)


class Validated(Classifier):
    """Looks at the masks that are put in for a validation."""

    def validation_step(self, batch, batch_idx):
        for module in self.modules():
            if isinstance(module, mst.Masked):
                assert breach_of(module) is None


def trained(folder, *callbacks, resume=None, **options):
    model, handle = models.sparse(Validated())
    trainer = trainer_of(folder, mst.LightningCallback(handle), *callbacks, **options)
    trainer.fit(model, loader(), loader(), ckpt_path=resume)
    return model, handle


@pytest.mark.parametrize("kind", [Ema, averaging.WeightAveraging])
def test_averages_of_buffers_are_refused(tmp_path, kind):
    with says(
        f"{kind.__name__} averages buffers, and masks are among them: give it use_buffers=False"
    ):
        trained(tmp_path, kind())


@pytest.mark.parametrize("kind", [Ema, averaging.WeightAveraging])
def test_averages_of_weights(tmp_path, kind):
    model, handle = trained(tmp_path, kind(use_buffers=False))
    assert handle.steps == 12
    mst.dense_state_dict(model)  # the average, under masks that obey
    handle.refresh()
    assert equal(handle.masks, solved(handle, "2:4"))
    masks = handle.finalize()
    for name, mask in masks.items():
        assert torch.equal(model.get_parameter(name) != 0, mask)


def test_stochastic_weight_averaging(tmp_path):
    swa = L.callbacks.StochasticWeightAveraging(0.01, swa_epoch_start=1)
    model, handle = trained(tmp_path, swa, max_steps=-1, max_epochs=4)
    mst.dense_state_dict(model)
    handle.refresh()
    assert equal(handle.masks, solved(handle, "2:4"))
    handle.finalize()


def test_an_averaged_training_resumes(tmp_path):
    """Its checkpoints hold two models, each with masks that obey."""
    saver = L.callbacks.ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=6, save_top_k=-1)
    options = {"enable_checkpointing": True}
    whole, _ = trained(tmp_path, saver, Ema(use_buffers=False), **options)
    last = tmp_path / "step=6.ckpt"
    resumed, handle = trained(tmp_path, saver, Ema(use_buffers=False), resume=last, **options)
    assert handle.steps == 12
    assert_same(whole.state_dict(), resumed.state_dict())
