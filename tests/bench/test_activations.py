import re

import numpy as np
import pytest

from masksolve.bench.activations import input_norms, norms_over, sentences
from masksolve.bench.encoder import encoder_file, encoder_layers

COMMON = {"the", "a", "an", "of", "to", "is", "are", "in", "and", "or", "that", "this", "it"}


def test_sentences_are_plain_english():
    found = sentences()
    assert 200 < len(found) == len(set(found)) < 2000
    for sentence in found:
        assert re.fullmatch(r"[A-Z][A-Za-z,;' -]+[A-Za-z]\.", sentence)
        assert "  " not in sentence
        assert 4 < len(sentence.split()) < 60
    words = " ".join(found).lower().split()
    assert sum(word in COMMON for word in words) > 0.25 * len(words)
    assert sentences() == found


@pytest.fixture(scope="module")
def text():
    """Return a few sentences, of many lengths."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    return sorted(sentences(), key=len)[::8]


@pytest.fixture(scope="module")
def norms(text):
    """Let the encoder read them."""
    return norms_over(text)


def test_every_layer_has_a_norm_for_each_input(norms):
    layers = encoder_layers()
    assert norms.keys() == layers.keys()
    for name, w in layers.items():
        assert norms[name].shape == (w.shape[1],)
        assert norms[name].dtype == np.float32
        assert (norms[name] > 0).all()


def test_queries_keys_and_values_see_the_same(norms):
    for k in range(6):
        query, key, value = (
            norms[f"encoder.layer.{k}.attention.self.{name}.weight"]
            for name in ("query", "key", "value")
        )
        np.testing.assert_array_equal(query, key)
        np.testing.assert_array_equal(query, value)


def test_attention_inputs_are_the_hidden_states(norms, text):
    """As transformers itself loads the model, and reports them for a padded batch."""
    import torch
    from transformers import AutoTokenizer, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = encoder_file().parent
    model = BertModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    batch = tokenizer(text, padding=True, return_tensors="pt")
    real = batch["attention_mask"].bool()
    assert not real.all()
    with torch.inference_mode():
        states = model(**batch, output_hidden_states=True).hidden_states
    for k in range(6):
        expected = (states[k][real].double() ** 2).mean(dim=0).sqrt().numpy()
        found = norms[f"encoder.layer.{k}.attention.self.query.weight"]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_reading_is_silent(norms, text, capfd):
    few = norms_over(text[:2])
    assert few.keys() == norms.keys()
    assert capfd.readouterr() == ("", "")


def test_all_sentences_are_read_once(monkeypatch):
    read = []
    monkeypatch.setattr("masksolve.bench.activations.norms_over", read.append)
    input_norms.cache_clear()
    input_norms()
    input_norms()
    input_norms.cache_clear()
    assert read == [sentences()]
