"""Handwritten digits by a small convolutional network and Lightning."""

import logging
import warnings

import torch
from common import digits, finish, options, run, summary
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import masksolve.torch as mst


class Network(LightningModule):
    """Two convolutions and two linear layers."""

    def __init__(self, epochs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )
        self.epochs = epochs

    def training_step(self, batch, index):
        """Return the loss of a batch."""
        images, labels = batch
        return nn.functional.cross_entropy(self.layers(images), labels)

    def test_step(self, batch, index):
        """Log the share of images that the model gets right."""
        images, labels = batch
        self.log("accuracy", (self.layers(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self):
        """Return the optimizer, and how its rate falls."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, self.epochs)]


def loader(data, batch_size, shuffle):
    """Return the batches of a data set."""
    images, labels = data
    return DataLoader(TensorDataset(images[:, None], labels), batch_size, shuffle)


def fit(model, data, callbacks=()):
    """Train a model, and return its accuracy."""
    train, test = data
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=model.epochs,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, loader(train, 64, shuffle=True))
    (result,) = trainer.test(model, loader(test, 450, shuffle=False), verbose=False)
    return result["accuracy"]


def main(arguments=None):
    """Train with each seed, dense and with masks."""
    found = options(arguments, __doc__, epochs=12)
    warnings.filterwarnings("ignore", ".*does not have many workers")  # all is in memory
    warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # between it and torch
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    data = digits()
    dense, sparse = [], []
    for seed in range(found.seeds):
        torch.manual_seed(seed)
        dense.append(fit(Network(found.epochs), data))

        torch.manual_seed(seed)
        model = Network(found.epochs)
        handle = mst.sparsify(model, found.pattern, refresh_every=found.refresh_every)
        sparse.append(fit(model, data, [mst.LightningCallback(handle)]))
    finish("digits_lightning", model, handle, found)
    return summary(dense, sparse, found)


if __name__ == "__main__":
    run(main)
