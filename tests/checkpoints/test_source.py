"""What a checkpoint is, and one sentence for each way in which it is none."""

import json

import numpy as np
import pytest

from masksolve.checkpoints.source import Checkpoint
from masksolve.errors import FileFormatError
from tests.checkpoints.models import INDEX
from tests.storage.files import refused, write_file


def test_shards_and_tensors_in_order(source, shards):
    found = Checkpoint.open(source)
    assert list(found.shards) == list(shards)
    assert list(found.tensors) == [name for tensors in shards.values() for name in tensors]
    assert found.file("b.weight").path == source / "model-2.safetensors"
    assert found.metadata == {"total_size": 123, "note": "ü"}
    others = found.others(leave=source / "out").files
    beside = [".hidden", "config.json", "pytorch_model.bin", "settings.json"]
    assert [path.name for path in others] == beside
    with refused(source, "'nobody'"):
        found.file("nobody")


@pytest.mark.parametrize("name", ["model.safetensors", "adapter.safetensors"])
def test_a_folder_with_one_file_and_that_file(tmp_path, name):
    write_file(tmp_path / name, {"w": np.eye(4)})
    for path in (tmp_path, tmp_path / name):
        found = Checkpoint.open(path)
        assert (list(found.tensors), found.index) == (["w"], None)


def test_the_usual_name_goes_first(tmp_path):
    for name in ("model.safetensors", "other.safetensors"):
        write_file(tmp_path / name, {name: np.eye(4)})
    assert list(Checkpoint.open(tmp_path).tensors) == ["model.safetensors"]


def test_the_index_of_a_variant(source):
    """As transformers names it: alone it will do, beside another it is not looked at."""
    usual = source / INDEX
    variant = source / "model.safetensors.index.fp16.json"
    usual.rename(variant)
    found = Checkpoint.open(source)
    assert (found.index, len(found.shards)) == (variant.name, 3)
    content = json.loads(variant.read_text())
    content["weight_map"]["norm"] = "model.fp16-1.safetensors"
    usual.write_text(json.dumps(content))
    with refused(source, "model.fp16-1.safetensors is missing", f"{INDEX} names it"):
        Checkpoint.open(source)
    usual.rename(source / "model.safetensors.index.bf16.json")
    with refused(source, "2 files", "index.bf16.json", variant.name):
        Checkpoint.open(source)
    write_file(source / "model.safetensors", {"w": np.eye(4)})
    assert list(Checkpoint.open(source).tensors) == ["w"]


def test_no_file_or_too_many(tmp_path):
    with refused(tmp_path, "holds no safetensors"):
        Checkpoint.open(tmp_path)
    for name in ("a.safetensors", "b.safetensors"):
        write_file(tmp_path / name, {name: np.eye(4)})
    with refused(tmp_path, "2 files", "a.safetensors", "model.safetensors"):
        Checkpoint.open(tmp_path)
    with refused("nowhere: No such file"):
        Checkpoint.open("nowhere")


def test_a_missing_shard(source):
    (source / "model-2.safetensors").unlink()
    with refused(source / "model-2.safetensors", "is missing", INDEX):
        Checkpoint.open(source)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"x" + b[1:], lambda b: b""])
def test_a_corrupted_shard(source, damage):
    path = source / "model-2.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with refused(path, "not a whole safetensors file"):
        Checkpoint.open(source)


NO_MAPS = ["[]", "{}", '{"a": 1}', '{"a": "../x.safetensors"}', '{"a": "/x"}', '{"a": ""}']
NO_INDICES = ["{", "[]", "{}", '{"metadata": 3, "weight_map": {"a": "x"}}', "[" * 100_000]
NO_INDICES += [f'{{"weight_map": {no_map}}}' for no_map in NO_MAPS]


@pytest.mark.parametrize("content", NO_INDICES, ids=lambda content: content[:60])
def test_an_index_that_is_none(source, content):
    (source / INDEX).write_text(content)
    with refused(source / INDEX, "not an index of shards"):
        Checkpoint.open(source)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ghost": "model-1.safetensors"}, "model-1.safetensors holds no tensor 'ghost'"),
        ({"a.weight": None}, "model-1.safetensors holds a tensor 'a.weight': .* not name it"),
        ({"a.weight": "model-2.safetensors"}, "model-2.safetensors holds no tensor 'a.weight'"),
        ({"a.weight": "gone.safetensors"}, "gone.safetensors is missing"),
    ],
)
def test_an_index_that_disagrees(source, change, words):
    index = json.loads((source / INDEX).read_text())
    names = index["weight_map"] | change
    index["weight_map"] = {name: shard for name, shard in names.items() if shard is not None}
    (source / INDEX).write_text(json.dumps(index))
    with pytest.raises(FileFormatError, match=words):
        Checkpoint.open(source)


def test_a_tensor_that_lies_in_two_shards(source, shards):
    third = source / "model-3.safetensors"
    write_file(third, shards[third.name] | {"a.weight": np.eye(4)})
    with refused(third, "'a.weight'", "lies in model-1.safetensors"):
        Checkpoint.open(source)
