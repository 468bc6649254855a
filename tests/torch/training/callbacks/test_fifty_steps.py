"""Fifty steps, cut at step 23 and resumed: bit for bit those of an undisturbed training."""

import pytest
import torch
from torch import nn

import masksolve.torch as mst
from tests.torch.states import assert_same
from tests.torch.training.callbacks import models, test_huggingface, test_lightning

STEPS, CUT = 50, 23
ESTIMATORS = ("ste", "sr_ste", "masked_decay")
SCORES = ("magnitude", "gradient", "movement", "wanda")

pytestmark = models.QUIET


class Branches(models.Recipe):
    """A branch for each estimator, and their sum: one training shows all three."""

    def __init__(self):
        super().__init__()
        self.body = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for name in ESTIMATORS}
        )

    def logits(self, x):
        return self.head(sum(branch(x) for branch in self.body.values()))


class ForHuggingFace(Branches, test_huggingface.Classifier):
    pass


class ForLightning(Branches, test_lightning.Classifier):
    pass


def sparse(model, score):
    """Mask every branch by its estimator; one handle renews all, now and then."""
    for estimator, branch in model.body.items():
        mst.sparsify(branch, "2:4", estimator=estimator, decay=0.05)
    return model, mst.Handle(model, score=score, refresh_every=4)


class Batches:
    """The same few in turn, from where a checkpoint says: Lightning resumes in an epoch so."""

    def __init__(self):
        self.given = 0

    def __iter__(self):
        x, y = models.samples()
        for first in range(8 * self.given, len(x), 8):
            self.given += 1
            yield x[first : first + 8], y[first : first + 8]
        self.given = 0

    def __len__(self):
        return 6

    def state_dict(self):
        return {"given": self.given}

    def load_state_dict(self, state):
        self.given = state["given"]


def by_huggingface(model, handle, folder, resume):
    options = {"save_strategy": "steps", "save_steps": CUT, "logging_steps": 1000}
    callback = mst.HuggingFaceCallback(handle)
    trainer = test_huggingface.trainer_of(model, folder, callback, max_steps=STEPS, **options)
    where = str(folder / f"checkpoint-{CUT}")
    trainer.train(resume_from_checkpoint=where if resume else None)


def by_lightning(model, handle, folder, resume):
    saver = test_lightning.L.callbacks.ModelCheckpoint(
        folder, "{step}", every_n_train_steps=CUT, save_top_k=-1
    )
    callbacks = saver, mst.LightningCallback(handle)
    options = {"max_steps": STEPS, "enable_checkpointing": True}
    trainer = test_lightning.trainer_of(folder, *callbacks, **options)
    trainer.fit(model, Batches(), ckpt_path=folder / f"step={CUT}.ckpt" if resume else None)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("make", "fit"),
    [(ForHuggingFace, by_huggingface), (ForLightning, by_lightning)],
    ids=["huggingface", "lightning"],
)
def test_a_training_that_was_cut_is_that_which_was_not(tmp_path, make, fit, score):
    whole, handle = sparse(make(), score)
    fit(whole, handle, tmp_path, resume=False)
    resumed, again = sparse(make(), score)
    before = {layer.name: layer.weight.clone() for layer in again.layers}
    fit(resumed, again, tmp_path, resume=True)
    assert handle.steps == again.steps == STEPS
    assert [record.step for record in again.history.records] == [24, 28, 32, 36, 40, 44, 48]
    assert handle.history.sad(20, 48) > 0  # masks moved after the cut
    assert_same(whole.state_dict(), resumed.state_dict())
    assert all(not torch.equal(before[layer.name], layer.weight) for layer in again.layers)
