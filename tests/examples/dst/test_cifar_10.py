import os
import pickle
from itertools import product

import numpy as np
import pytest
import torch
from dst_paper.batches import Images, Loader
from dst_paper.cifar_10 import DEVIATION, MEAN, load_cifar_10

from masksolve.errors import FileFormatError
from tests.examples.data import CIFAR_10, write_records


def _batch(name):
    random = np.random.default_rng(list(name.encode()))
    return random.integers(256, size=(7, 3072), dtype=np.uint8), random.integers(10, size=7)


def _write_python(folder):
    folder.mkdir(parents=True)
    for name in CIFAR_10:
        pixels, labels = _batch(name)
        held = {b"batch_label": b"one", b"labels": labels.tolist(), b"data": pixels}
        held[b"filenames"] = [b"a.png"] * 7
        (folder / name).write_bytes(pickle.dumps(held, protocol=2))


def _write_binary(folder):
    folder.mkdir(parents=True)
    for name in CIFAR_10:
        pixels, labels = _batch(name)
        write_records(folder / f"{name}.bin", labels, pixels)


VERSIONS = [(_write_python, "cifar-10-batches-py"), (_write_binary, "cifar-10-batches-bin")]


@pytest.mark.parametrize(("write", "inside"), [*VERSIONS, (_write_python, "")])
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
    for write, name in ((_write_python, "test_batch"), (_write_binary, "test_batch.bin")):
        folder = tmp_path / write.__name__
        write(folder)
        path = folder / name
        path.write_bytes(path.read_bytes()[:left])
        assert _refused(folder, train=False).startswith(f"{path} is truncated")


def _write_test_batch(folder, held):
    """Write files that are right but for one."""
    _write_python(folder)
    (folder / "test_batch").write_bytes(pickle.dumps(held, protocol=2))


def test_a_pickle_that_would_run_something(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trap"),)

    _write_test_batch(tmp_path / "data", {b"data": Trap()})
    assert "expected arrays only" in _refused(tmp_path / "data", train=False)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (3, [1]),
        (np.zeros((1, 10), np.uint8), [1]),
        (np.zeros((1, 3072)), [1]),
        (np.zeros((1, 3072), np.uint8), [11]),
        (np.zeros((0, 3072), np.uint8), []),
        (None, None),
    ],
)
def test_pickles_of_something_else(tmp_path, data, labels):
    held = [] if data is None else {b"data": data, b"labels": labels}
    _write_test_batch(tmp_path / "data", held)
    assert str(tmp_path / "data" / "test_batch") in _refused(tmp_path / "data", train=False)


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
        every = product(range(5), range(5), (False, True))  # down, across, mirrored
        places = [place for place in every if torch.equal(_window(padded[k], *place), moved[k])]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 20


def _window(image, down, across, mirrored):
    window = image[:, down : down + 8, across : across + 8]
    return window.flip(2) if mirrored else window
