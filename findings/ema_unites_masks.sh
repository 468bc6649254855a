#!/usr/bin/env bash
# An exponential moving average of a model whose 2:4 masks change keeps far more than 2 of 4.
#
# One would guess: a mask that is a bool buffer can't be averaged, so the averaged model has
# either the latest mask or the first one; 2 of 4 both times.
# Seen: with buffers averaged, a bool mask becomes decay * average + (1 - decay) * mask, cast back
# to bool: any share above 0 is True. An entry that was ever kept stays kept, so the "average" is
# the union of all masks since the start, whatever the decay. Lightning averages buffers unless
# told otherwise, and after training it writes the average, mask included, into the trained model.
# With use_buffers=False both keep the latest mask, and the average is 2:4.
# Why it matters: masks that are renewed while training (SR-STE and its kin) are just such buffers,
# and the dtype stays bool, so nothing but a count of the groups tells.
#
# Versions: torch 2.13.0, lightning 2.6.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 lightning==2.6.6 torchmetrics==1.9.0 numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
import logging
import warnings

import lightning
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")


def two_of_four(weight):
    kept = weight.detach().abs().reshape(-1, 4).topk(2, 1).indices
    return torch.zeros(len(kept), 4, dtype=torch.bool).scatter(1, kept, True).reshape(weight.shape)


class Masked(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("mask", two_of_four(weight))

    def forward(self, weight):
        # Straight through, as in SR-STE: pruned weights learn too, so they can come back.
        return weight + (weight * self.mask - weight).detach()


def layer():
    torch.manual_seed(0)
    linear = nn.Linear(64, 32, bias=False)
    parametrize.register_parametrization(linear, "weight", Masked(linear.weight))
    return linear


def renew(linear, union):
    weight = linear.parametrizations.weight
    weight[0].mask.copy_(two_of_four(weight.original))
    union |= weight[0].mask


def groups(linear):
    """How many groups of 4 hold 0, 1, 2, 3 and 4 weights that aren't 0."""
    counts = (linear.weight != 0).reshape(-1, 4).sum(1)
    return torch.bincount(counts, minlength=5).tolist()


def with_torch(use_buffers):
    linear = layer()
    union = linear.parametrizations.weight[0].mask.clone()
    average = get_ema_multi_avg_fn(0.9)
    averaged = AveragedModel(linear, multi_avg_fn=average, use_buffers=use_buffers)
    averaged.update_parameters(linear)
    for _ in range(20):
        with torch.no_grad():
            linear.parametrizations.weight.original += 0.05 * torch.randn(32, 64)
        renew(linear, union)
        averaged.update_parameters(linear)
    return averaged.module, union


class Training(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.linear = layer()
        self.union = self.linear.parametrizations.weight[0].mask.clone()

    def training_step(self, batch):
        return (self.linear(batch[0]) - batch[1]).pow(2).mean()

    def on_train_batch_end(self, *_):
        renew(self.linear, self.union)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


def with_lightning(**options):
    torch.manual_seed(1)
    data = torch.utils.data.TensorDataset(torch.randn(640, 64), torch.randn(640, 32))
    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[EMAWeightAveraging(decay=0.9, **options)],
        enable_model_summary=False,
        **quiet,
    )
    training = Training()
    trainer.fit(training, torch.utils.data.DataLoader(data, batch_size=32))
    return training.linear, training.union


print("torch", torch.__version__, "lightning", lightning.__version__)
print("groups of 4 by their number of weights that aren't 0: [0, 1, 2, 3, 4]")
for name, run, united, latest in (
    ("torch, AveragedModel", with_torch, {"use_buffers": True}, {"use_buffers": False}),
    ("lightning, EMAWeightAveraging", with_lightning, {}, {"use_buffers": False}),
):
    linear, union = run(**united)
    mask = linear.parametrizations.weight[0].mask
    print(f"{name}, buffers averaged: {groups(linear)}, mask {mask.dtype}")
    assert mask.dtype == torch.bool
    assert not (mask & ~union).any()
    counts = groups(linear)
    assert counts[0] == counts[1] == 0 and counts[3] + counts[4] > 100, counts
    if run is with_torch:
        assert torch.equal(mask, union), "the averaged mask is the union of all masks"
    linear, _ = run(**latest)
    print(f"{name}, {latest}: {groups(linear)}")
    assert groups(linear) == [0, 0, 512, 0, 0]
print("as found: the averaged bool mask is the union of all masks, more than 2 of 4")
PYTHON
"$folder/venv/bin/python" finding.py
