import os
import pickle

import numpy as np
import pytest
import torch
from dst_paper.batches import Images, Loader
from dst_paper.cifar_10 import DEVIATION, MEAN, load_cifar_10

from masksolve.errors import FileFormatError

NAMES = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]


def _batch(name):
    random = np.random.default_rng(list(name.encode()))
    return random.integers(256, size=(7, 3072), dtype=np.uint8), random.integers(10, size=7)


def _write_python(folder):
    folder.mkdir(parents=True)
    for name in NAMES:
        pixels, labels = _batch(name)
        held = {
            b"batch_label": b"one",
            b"labels": labels.tolist(),
            b"data": pixels,
            b"filenames": [b"a.png"] * 7,
        }
        (folder / name).write_bytes(pickle.dumps(held, protocol=2))


def _write_binary(folder):
    folder.mkdir(parents=True)
    for name in NAMES:
        pixels, labels = _batch(name)
        records = np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())


@pytest.mark.parametrize(
    ("write", "inside"),
    [
        (_write_python, "cifar-10-batches-py"),
        (_write_binary, "cifar-10-batches-bin"),
        (_write_python, ""),
    ],
)
def test_both_versions(tmp_path, write, inside):
    folder = tmp_path / "data"
    write(folder / inside)
    training, test = (load_cifar_10(folder, train=train) for train in (True, False))
    assert training.pixels.shape == (35, 3, 32, 32)
    pixels, labels = _batch("data_batch_2")
    assert training.labels[7:14].tolist() == labels.tolist()
    image = pixels[3].reshape(3, 32, 32) / 255  # red, green, blue, each row by row
    expected = (image - np.reshape(MEAN, (3, 1, 1))) / np.reshape(DEVIATION, (3, 1, 1))
    np.testing.assert_allclose(training.pixels[10], expected, atol=1e-5)
    assert test.labels.tolist() == _batch("test_batch")[1].tolist()


def _refused(folder, train=True):
    with pytest.raises(FileFormatError) as caught:
        load_cifar_10(folder, train=train)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_missing(tmp_path):
    assert _refused(tmp_path / "none").startswith("there is no folder")
    folder = tmp_path / "data"
    _write_binary(folder)
    (folder / "data_batch_4.bin").unlink()
    assert _refused(folder).startswith(f"{folder} has no data_batch_4: expected CIFAR-10's files")


@pytest.mark.parametrize("left", [0, 1000, -1])
def test_truncated_files(tmp_path, left):
    for k, (write, name) in enumerate(
        [(_write_python, "test_batch"), (_write_binary, "test_batch.bin")]
    ):
        folder = tmp_path / str(k)
        write(folder)
        path = folder / name
        path.write_bytes(path.read_bytes()[:left])
        assert _refused(folder, train=False).startswith(f"{path} is truncated")


def test_a_pickle_that_would_run_something(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trap"),)

    folder = tmp_path / "data"
    _write_python(folder)
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": Trap()}, protocol=2))
    assert "expected arrays only" in _refused(folder, train=False)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "held",
    [
        [],
        {b"data": 3, b"labels": [1]},
        {b"data": np.zeros((1, 10), np.uint8), b"labels": [1]},
        {b"data": np.zeros((1, 3072)), b"labels": [1]},
        {b"data": np.zeros((1, 3072), np.uint8), b"labels": [11]},
        {b"data": np.zeros((0, 3072), np.uint8), b"labels": []},
    ],
)
def test_pickles_of_something_else(tmp_path, held):
    folder = tmp_path / "data"
    _write_python(folder)
    (folder / "test_batch").write_bytes(pickle.dumps(held, protocol=2))
    assert str(folder / "test_batch") in _refused(folder, train=False)


def test_batches_are_whole_shuffled_and_moved():
    pixels = torch.arange(10 * 3 * 8 * 8.0).view(10, 3, 8, 8) + 1
    images = Images(pixels, torch.arange(10))
    plain = list(Loader(images, 4))
    assert [len(labels) for _, labels in plain] == [4, 4, 2]
    assert torch.equal(torch.cat([p for p, _ in plain]), pixels)
    torch.manual_seed(0)
    shuffled = torch.cat([labels for _, labels in Loader(images, 4, shuffle=True)])
    assert shuffled.tolist() != list(range(10))
    assert sorted(shuffled.tolist()) == list(range(10))


def test_moved_images_are_windows_of_padded_ones_maybe_mirrored():
    torch.manual_seed(0)
    pixels = torch.rand(64, 3, 8, 8)
    ((moved, _),) = Loader(Images(pixels, torch.zeros(64)), 64, pad=2)
    padded = torch.nn.functional.pad(pixels, [2] * 4)
    seen = set()
    for k in range(64):
        places = [
            (down, across, mirrored)
            for down in range(5)
            for across in range(5)
            for mirrored in (False, True)
            if torch.equal(_window(padded[k], down, across, mirrored), moved[k])
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 20


def _window(image, down, across, mirrored):
    window = image[:, down : down + 8, across : across + 8]
    return window.flip(2) if mirrored else window
