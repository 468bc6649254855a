"""What a file or a folder is solved for when nobody says, and what is said of the rest."""

import json

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints.selection import choose_tensors
from masksolve.checkpoints.source import Checkpoint
from tests.checkpoints.models import write_checkpoint
from tests.storage.files import write_file

SHAPES = {
    "model.embed_tokens.weight": (96, 32),
    "model.layers.0.mlp.up_proj.weight": (64, 32),
    "model.layers.0.mlp.down_proj.weight": (32, 64),
    "model.layers.0.mlp.gate.weight": (8, 32),
    "model.layers.0.mlp.experts.gate_up_proj": (4, 32, 48),
    "model.layers.0.mlp.experts.gate_up_proj_bias": (4, 48),
    "model.layers.0.conv.weight": (16, 8, 3, 3),
    "model.layers.0.depthwise.weight": (16, 1, 3, 3),
    "model.layers.0.odd.weight": (30, 32),
    "model.layers.0.norm.weight": (32,),
    "lm_head.weight": (96, 32),
}
CHOSEN = {
    "model.layers.0.mlp.up_proj.weight": (0, 1),
    "model.layers.0.mlp.down_proj.weight": (0, 1),
    "model.layers.0.mlp.experts.gate_up_proj": (2, 1),
    "model.layers.0.conv.weight": (0, 1),
}
CONFIG = {"model_type": "gpt_oss", "vocab_size": 96, "hidden_size": 32, "num_local_experts": 4}


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.fixture
def source(tmp_path, tensors):
    half = len(tensors) // 2
    parts = [dict([*tensors.items()][:half]), dict([*tensors.items()][half:])]
    folder = write_checkpoint(
        tmp_path / "model", {f"{k}.safetensors": p for k, p in enumerate(parts)}
    )
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def choose(source, *arguments, pattern="4:8", **options):
    return choose_tensors(
        Checkpoint.open(source), *arguments, patterns=[ms.Pattern.parse(pattern)], **options
    )


def test_products_are_chosen_and_every_other_tensor_is_named(source, tensors):
    found = choose(source)
    assert found.axes == CHOSEN
    assert dict(found.skipped).keys() == tensors.keys() - CHOSEN.keys()
    assert (
        dict(found.skipped)["model.layers.0.odd.weight"]
        == "its matrix is 30 x 32, no multiple of 8"
    )
    size = {name: array.size for name, array in tensors.items()}
    assert found.share == sum(size[name] for name in CHOSEN) / sum(size.values())


def test_a_file_and_a_folder_agree_and_masks_are_those_of_solve(source, tensors, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    file = write_file(alone / "model.safetensors", tensors)
    (alone / "config.json").write_bytes((source / "config.json").read_bytes())
    folder = ms.solve_checkpoint(source, tmp_path / "a", "4:8")
    single = ms.solve_checkpoint(file, tmp_path / "b.safetensors", "4:8")
    assert (folder.skipped, folder.masked_share) == (single.skipped, single.masked_share)
    stored = ms.load_masks(tmp_path / "b.safetensors")
    assert stored.keys() == CHOSEN.keys()
    for name, axes in CHOSEN.items():
        assert np.array_equal(stored[name].mask, ms.solve(tensors[name], "4:8", axes=axes).mask)


def test_what_is_named_is_solved_whatever_it_is(source):
    for name in SHAPES.keys() - CHOSEN.keys():
        if len(SHAPES[name]) > 1:
            found = choose(source, [name], axes={name: (0, 1)})
            assert found.axes == {name: (0, 1)}
            assert {why for _, why in found.skipped} == {"it was not asked for"}
    found = choose(source, ["*"], exclude=["*experts*"])
    assert found.axes.keys() == {n for n, s in SHAPES.items() if len(s) > 1 and "experts" not in n}


def test_axes_by_name_the_first_counts(source):
    given = {
        "*experts*": (1, 2),
        "*up*": (1, 0),
        "model.layers.0.*_proj.weight": (0, 1),
        "*": (0, 1),
    }
    found = choose(source, axes=given).axes
    assert found["model.layers.0.mlp.experts.gate_up_proj"] == (1, 2)
    assert found["model.layers.0.mlp.up_proj.weight"] == (1, 0)
    assert found["model.layers.0.mlp.down_proj.weight"] == (0, 1)
    assert found.keys() == CHOSEN.keys()  # axes are no wish


def test_experts_of_unknown_orientation(source):
    """Both ways round a tile is the same; along the inputs one must be known."""
    (source / "config.json").write_text("{}")
    name = "model.layers.0.mlp.experts.gate_up_proj"
    assert name in choose(source).axes
    assert "say so, as in --axes" in dict(choose(source, pattern="4:8,plain").skipped)[name]
    with pytest.raises(ms.InvalidInput, match=r"gate_up_proj': which of its axes are inputs"):
        choose(source, [name], pattern="4:8,plain")
    assert choose(source, axes={name: (2, 1)}, pattern="4:8,plain").axes[name] == (2, 1)


def test_layers_that_are_alike_share_a_reason_whose_advice_is_for_all(tmp_path):
    names = [f"model.layers.{k}.mlp.experts.down_proj" for k in (0, 1, 12)]
    experts = dict.fromkeys(names, np.ones((4, 16, 8), np.float32))
    file = write_file(tmp_path / "model.safetensors", experts | {"o.weight": np.ones((8, 8))})
    ((why, count),) = choose(file, pattern="4:8,plain").reasons()
    assert count == 3
    advice = why.split("'")[1].split("=")
    found = choose(file, axes={advice[0]: (1, 2)}, pattern="4:8,plain").axes
    assert [found[name] for name in names] == [(1, 2)] * 3


def test_weights_that_are_put_in_another_order_at_loading(tmp_path):
    name, weights = "layers.0.mlp.w13_dn.weight", np.ones((32, 32), np.float32)
    file = write_file(tmp_path / "model.safetensors", {name: weights, "layers.0.o.weight": weights})
    (tmp_path / "config.json").write_text('{"model_type": "inkling_text"}')
    assert "interleaved" in dict(choose(file).skipped)[name]
    with pytest.raises(ms.InvalidInput, match="interleaved in the file"):
        choose(file, [name])
    assert name in choose(file, pattern="4:8,plain").axes


def test_plain_arrays_are_all_matrices(tmp_path):
    names = ("a", "b", "w", "layer1")
    file = write_file(tmp_path / "arrays", dict.fromkeys(names, np.ones((8, 8))))
    assert choose(file).axes == dict.fromkeys(names, (0, 1))


def test_nothing_to_choose_says_why(tmp_path):
    file = write_file(tmp_path / "f", {"embed_tokens.weight": np.ones((8, 8)), "bias": np.ones(8)})
    with pytest.raises(ms.InvalidInput, match=r"embed_tokens\.weight: an embedding is a lookup"):
        choose(file)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"zzz": (0, 1)}, "no tensor 'zzz', for which axes are given"),
        ({"*": (0, 1, 2)}, "mapping of names to two integers"),
        ("01", "must be two integers"),
        ({"*up_proj*": (0, 2)}, "axis 2 is out of range"),
    ],
)
def test_bad_axes(source, axes, words):
    with pytest.raises(ms.InvalidInput, match=words):
        choose(source, axes=axes)
