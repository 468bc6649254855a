"""Handwritten digits by a small vision transformer and Hugging Face's Trainer."""

from tempfile import TemporaryDirectory

import torch
from common import digits, finish, options, run, summary
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

import masksolve.torch as mst


def network():
    """Return a transformer that reads an image as 16 patches of 2 x 2."""
    return ViTForImageClassification(
        ViTConfig(
            image_size=8,
            patch_size=2,
            num_channels=1,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            num_labels=10,
        )
    )


def examples(data):
    """Return a data set as Trainer takes it."""
    images, labels = data
    return [
        {"pixel_values": image[None], "labels": int(label)}
        for image, label in zip(images, labels, strict=True)
    ]


def accuracy(prediction):
    """Return the share of images that a model gets right."""
    right = prediction.predictions.argmax(-1) == prediction.label_ids
    return {"accuracy": float(right.mean())}


def fit(model, data, found, seed, callbacks=()):
    """Train a model, and return its accuracy."""
    train, test = data
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=found.epochs,
            seed=seed,
            use_cpu=True,
            per_device_train_batch_size=64,
            learning_rate=3e-3,
            warmup_steps=20,
            logging_steps=200,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=train,
            eval_dataset=test,
            compute_metrics=accuracy,
            callbacks=list(callbacks),
        )
        trainer.train()
        return trainer.evaluate()["eval_accuracy"]


def main(arguments=None):
    """Train with each seed, dense and with masks."""
    found = options(arguments, __doc__, epochs=20)
    data = tuple(examples(part) for part in digits())
    dense, sparse = [], []
    for seed in range(found.seeds):
        torch.manual_seed(seed)
        dense.append(fit(network(), data, found, seed))

        torch.manual_seed(seed)
        model = network()
        handle = mst.sparsify(model, found.pattern, refresh_every=found.refresh_every)
        sparse.append(fit(model, data, found, seed, [mst.HuggingFaceCallback(handle)]))
    finish("digits_huggingface", model, handle, found)
    return summary(dense, sparse, found)


if __name__ == "__main__":
    run(main)
