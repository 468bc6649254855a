import json

import numpy as np
import pytest

from masksolve.errors import FileFormatError
from masksolve.torch.language import LanguageModel, read_tokens
from masksolve.torch.language import reading as module
from tests.refusals import says
from tests.storage.files import write_file
from tests.torch.language.folders import IDS, llama, tokenizer, write_folder


def ids(text):
    return [IDS[letter] for letter in text]


@pytest.fixture
def model(folder):
    return LanguageModel(folder)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_plain_text_is_read_letter_by_letter(model, write):
    found = read_tokens(write("a.txt", "\ufeffa cat.\nb"), model)  # a byte order mark is no text
    assert found.ids.tolist() == ids("a cat.\nb")
    assert found.ids.dtype == np.int64
    assert (found.before, found.after) == ((), ())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_long_text_is_read_in_pieces_that_make_the_whole(size, model, write, monkeypatch):
    monkeypatch.setattr(module, "PIECE", size)
    text = "one\ntwo\n\nthree\nand a line that is longer\n" * 3
    assert read_tokens(write("a.md", text), model).ids.tolist() == ids(text)


def test_texts_of_json_lines_end_with_the_sign_that_one_ends(model, write):
    lines = [json.dumps({"text": "ab", "url": "x"}), "", json.dumps("c d"), json.dumps(" ")]
    found = read_tokens(write("a.jsonl", "\r\n".join(lines)), model)
    assert found.ids.tolist() == [*ids("ab"), 1, *ids("c d"), 1]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16])
def test_tokens_of_any_shape_are_read_row_by_row(model, tmp_path, dtype):
    rows = np.arange(12, dtype=dtype).reshape(3, 4)
    path = write_file(tmp_path / "a.safetensors", {"rows": rows})
    assert read_tokens(path, model).ids.tolist() == list(range(12))


def test_what_a_tokenizer_puts_around_a_text_is_known(tmp_path, write):
    model = LanguageModel(write_folder(tmp_path / "m", llama(), tokenizer(begins=True)))
    assert read_tokens(write("a.txt", "ab"), model).before == (0,)


def test_what_is_no_text_is_refused(model, write, tmp_path):
    with says(f"cannot read {tmp_path / 'no.txt'}: No such file or directory", FileFormatError):
        read_tokens(tmp_path / "no.txt", model)
    path = write("empty.txt", "")
    with says(f"{path} is empty: expected text", FileFormatError):
        read_tokens(path, model)
    path = write("blank.jsonl", "\n\n")
    with says(f"{path} holds no tokens", FileFormatError):
        read_tokens(path, model)
    path = write("a.parquet", b"abc\xff")
    with says(f"{path} is not text in UTF-8, at byte 3", FileFormatError):
        read_tokens(path, model)
    path = write("a.jsonl", '"a"\n{"text": ')
    with says(f"{path}, line 2: not JSON: Expecting value", FileFormatError):
        read_tokens(path, model)
    path = write("b.jsonl", '{"content": "a"}')
    sentence = f'{path}, line 1: expected a string, or an object with a "text"'
    with says(sentence, FileFormatError):
        read_tokens(path, model)


def test_tokens_that_are_none_are_refused(model, folder, tmp_path):
    def stored(**tensors):
        return write_file(tmp_path / "a.safetensors", tensors)

    path = stored(rows=np.array([3, 32]))
    with says(f"{path} holds token 32, but {folder} knows 32 tokens, 0 to 31"):
        read_tokens(path, model)
    with says(f"{stored(rows=np.array([3, -1]))} holds token -1: tokens are counted from 0"):
        read_tokens(path, model)
    with says(f"{stored(rows=np.empty((0, 4), np.int64))} holds no tokens", FileFormatError):
        read_tokens(path, model)
    sentence = f"{path} holds 2 tensors: expected one of tokens"
    stored(a=np.array([1]), b=np.array([1]))
    with says(sentence, FileFormatError):
        read_tokens(path, model)
    stored(a=np.array([1.0], np.float32))
    with says(f"{path}: tensor 'a' is of float32: expected integers", FileFormatError):
        read_tokens(path, model)


def test_a_folder_without_a_tokenizer_reads_tokens_only(tmp_path, write):
    folder = write_folder(tmp_path / "m", llama())
    model = LanguageModel(folder)
    tokens = write_file(tmp_path / "a.safetensors", {"rows": np.array([3, 4])})
    assert read_tokens(tokens, model).ids.tolist() == [3, 4]
    sentence = f"{folder} holds no tokenizer: expected one, or tokens in a safetensors file"
    with says(sentence, FileFormatError):
        read_tokens(write("a.txt", "ab"), model)


def test_what_is_no_folder_of_a_model_is_refused(tmp_path):
    path = tmp_path / "m"
    with says(f"{path} is not a folder: expected one with a model", FileFormatError):
        LanguageModel(path)
    path.mkdir()
    with says(f"{path} holds no config.json: expected a model's folder", FileFormatError):
        LanguageModel(path)
    (path / "config.json").write_text("{")
    with pytest.raises(FileFormatError, match="its configuration cannot be read: "):
        LanguageModel(path).config  # noqa: B018
    (path / "config.json").write_text('{"model_type": "of tomorrow"}')
    with pytest.raises(FileFormatError, match="of tomorrow"):
        LanguageModel(path).config  # noqa: B018


def test_weights_that_are_missing_are_named(tmp_path, folder):
    from safetensors.torch import load_file, save_file

    path = write_folder(tmp_path / "m", llama())
    weights = load_file(path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    sentence = f"{path} lacks 1 of the model's weights, 'model.layers.1.mlp.up_proj.weight' first"
    with says(sentence, FileFormatError):
        LanguageModel(path).load()
    (path / "model.safetensors").unlink()
    with pytest.raises(FileFormatError, match="its weights cannot be read: "):
        LanguageModel(path).load()


def test_an_encoder_foretells_nothing(tmp_path):
    import transformers

    config = transformers.BertConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    path = write_folder(tmp_path / "m", transformers.BertModel(config))
    with says(f"{path} holds BertModel, which does not foretell the next token of a text"):
        LanguageModel(path).load()
