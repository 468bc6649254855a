import sys

import numpy as np
import pytest

from tests.storage.files import write_file

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.torch.language.folders import llama, tokenizer, write_folder


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "model", llama(), tokenizer())


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a cat sat on a mat and that was that.\n" * 9)
    return path


def test_a_table_and_the_same_in_json(run, folder, text):
    ran = run("evaluate", folder, text, "--length", 16, "--samples", 8)
    assert f"{text}: 8 windows of 16 tokens" in ran.out
    assert "ratio" not in ran.out
    found = run("evaluate", folder, text, "--length", 16, "--samples", 8, "--json").json
    assert f"{found['perplexity']['value']:.4g}" in ran.out


def test_two_models_side_by_side(run, folder, text, tmp_path):
    dense = write_folder(tmp_path / "dense", llama(1), tokenizer())
    given = ("evaluate", folder, text, "--beside", dense, "--length", 16)
    ran, found = run(*given), run(*given, "--json").json
    assert "ratio, paired" in ran.out
    ratio = found["perplexity"]["value"] / found["beside_perplexity"]["value"]
    assert found["ratio"]["value"] == pytest.approx(ratio)
    assert f"{ratio:.4g}" in ran.out


def test_bad_input_is_one_line(refused, folder, text, tmp_path):
    refused("evaluate", tmp_path / "no", text, words="no is not a folder")
    refused("evaluate", folder, tmp_path / "no.txt", words="cannot read no.txt")
    (tmp_path / "empty.txt").touch()
    refused("evaluate", folder, tmp_path / "empty.txt", words="is empty: expected text")
    refused("evaluate", folder, text, "--length", 65, words="reads at most 64 tokens")
    refused("evaluate", folder, text, "--device", "dishwasher", "--length", 8, words="dishwasher")
    high = write_file(tmp_path / "a.safetensors", {"rows": np.array([77])})
    refused("evaluate", folder, high, words="holds token 77, but knows 32 tokens")


def test_without_torch_it_says_what_to_install(refused, folder, text, monkeypatch):
    monkeypatch.setitem(sys.modules, "masksolve.torch.language", None)
    refused("evaluate", folder, text, words="needs PyTorch pip install 'masksolve[prune]'")
