import math

import numpy as np
import pytest
import torch

import masksolve.torch as mst
from masksolve.torch.language import LanguageModel, Perplexity, Ratio, window_losses
from masksolve.torch.language import perplexity as module
from tests.refusals import says
from tests.storage.files import write_file
from tests.torch.language.folders import llama, tokenizer, write_folder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    rows = np.random.default_rng(0).integers(0, 32, 200)
    return write_file(tmp_path_factory.mktemp("text") / "a.safetensors", {"rows": rows})


def naive_loss(model, ids):
    """Token by token, each from nothing but what comes before it."""
    total = 0.0
    for k in range(1, len(ids)):
        logits = model(torch.tensor([ids[:k]])).logits[0, -1].double().tolist()
        total += math.log(sum(map(math.exp, logits))) - logits[ids[k]]
    return total / (len(ids) - 1)


@pytest.mark.parametrize("at_once", [1, 700, 1 << 27])
def test_losses_are_those_of_tokens_read_one_by_one(at_once, monkeypatch):
    monkeypatch.setattr(module, "LOGITS", at_once)
    windows = torch.randint(0, 32, (5, 9), generator=torch.Generator().manual_seed(0))
    seen = []
    model = llama()
    found = window_losses(model, windows, vocabulary=32, progress=lambda *done: seen.append(done))
    expected = [naive_loss(model, ids) for ids in windows.tolist()]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    assert found.dtype == torch.float64
    assert len(set(expected)) == 5
    assert seen[-1] == (5, 5)


def test_standard_errors_are_those_of_means():
    losses = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    found = Perplexity(losses)
    assert found.value == pytest.approx(math.exp(7 / 3))
    spread = math.sqrt(((1 - 7 / 3) ** 2 + (2 - 7 / 3) ** 2 + (4 - 7 / 3) ** 2) / 2)
    assert found.error == pytest.approx(found.value * spread / math.sqrt(3))
    ratio = found.beside(Perplexity(losses - 0.5))
    assert isinstance(ratio, Ratio)
    assert ratio.value == pytest.approx(math.exp(0.5))
    assert ratio.error == pytest.approx(0, abs=1e-12)  # as hard for both, window by window
    assert math.isnan(Perplexity(losses[:1]).error)
    assert Perplexity(losses * 1000).value == math.inf


def test_standard_errors_are_what_chance_does():
    """Of many draws of windows, the spread of perplexities is what one draw says it is."""
    random = torch.Generator().manual_seed(0)
    draws = [
        Perplexity(3 + 0.2 * torch.randn(64, generator=random, dtype=torch.float64))
        for _ in range(400)
    ]
    spread = np.std([draw.value for draw in draws])
    assert np.mean([draw.error for draw in draws]) == pytest.approx(spread, rel=0.15)


def test_a_model_in_a_folder(folder, text):
    found = mst.evaluate_checkpoint(folder, text, length=10)
    assert (found.windows, found.length, found.other, found.ratio) == (20, 10, None, None)
    ids = np.random.default_rng(0).integers(0, 32, 200).reshape(20, 10)
    losses = window_losses(LanguageModel(folder).load(), torch.from_numpy(ids))
    torch.testing.assert_close(found.perplexity.losses, losses, rtol=1e-5, atol=1e-5)
    assert set(found.to_dict()) == {"model", "text", "windows", "length", "perplexity"}


def test_two_models_are_paired_by_windows(folder, other, text):
    seen = []
    found = mst.evaluate_checkpoint(
        folder, text, beside=other, samples=8, length=10, progress=lambda *done: seen.append(done)
    )
    back = mst.evaluate_checkpoint(other, text, beside=folder, samples=8, length=10)
    assert found.ratio.value == pytest.approx(1 / back.ratio.value)
    assert found.ratio.value == pytest.approx(found.perplexity.value / found.other.value)
    assert found.ratio.value != 1
    assert found.to_dict()["ratio"]["standard_error"] == found.ratio.error
    assert seen == [(8, 16), (16, 16)]
    same = mst.evaluate_checkpoint(folder, text, beside=folder, samples=8, length=10)
    assert (same.ratio.value, same.ratio.error) == (1, 0)


def test_a_single_window_has_no_error(folder, text):
    found = mst.evaluate_checkpoint(folder, text, beside=folder, samples=1, length=10)
    assert found.to_dict()["perplexity"]["standard_error"] is None


def test_models_of_other_vocabularies_are_not_compared(folder, text, tmp_path):
    path = write_folder(tmp_path / "m", llama(vocab_size=40), tokenizer())
    sentence = (
        f"{folder} knows 32 tokens and {path} 40: "
        "perplexities of different vocabularies cannot be compared"
    )
    with says(sentence):
        mst.evaluate_checkpoint(folder, text, beside=path)


def test_a_model_that_is_broken_is_named(text, tmp_path):
    model = llama()
    model.lm_head.weight.data[3] = math.nan
    path = write_folder(tmp_path / "m", model)
    with says(f"{path}: the model's loss is nan on window 0"):
        mst.evaluate_checkpoint(path, text, length=10)
