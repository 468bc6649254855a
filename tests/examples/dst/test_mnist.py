import gzip
import shutil

import numpy as np
import pytest
from dst_paper.mnist import load_mnist, read_idx

from masksolve.errors import FileFormatError
from tests.examples.data import write_idx

from .conftest import bars


@pytest.mark.parametrize(("train", "number", "seed"), [(True, 600, 0), (False, 200, 1)])
def test_images_and_labels_are_those_of_the_files(mnist, train, number, seed):
    found = load_mnist(mnist, train=train)
    images, labels = bars(number, seed)
    assert found.pixels.shape == (number, 1, 28, 28)
    np.testing.assert_allclose(found.pixels[:, 0].numpy() * 255, images, rtol=1e-6)
    assert found.labels.tolist() == labels.tolist()
    assert float(found.pixels.max()) == 1


def test_torchvisions_folder(mnist, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(mnist, other / "MNIST" / "raw")
    assert len(load_mnist(other, train=True).labels) == 600


def _said(folder, train=True):
    with pytest.raises(FileFormatError) as caught:
        load_mnist(folder, train=train)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_or_a_file_that_is_not_there(mnist):
    none = mnist / "none"
    assert _said(none).startswith(f"there is no folder {none}: expected one with MNIST's")
    (mnist / "train-labels-idx1-ubyte").unlink()
    words = f"{mnist} has no train-labels-idx1-ubyte: expected MNIST's four"
    assert _said(mnist).startswith(words)


@pytest.mark.parametrize("left", [0, 3, 9, 16, 17, 400_000])
def test_a_truncated_file(mnist, left):
    path = mnist / "train-images-idx3-ubyte"
    whole = gzip.decompress((mnist / "train-images-idx3-ubyte.gz").read_bytes())
    path.write_bytes(whole[:left])
    said = _said(mnist)
    assert said.startswith(f"{path} is truncated: ")
    words = f"its head announces 600 x 28 x 28 = 470400 bytes, there are {left - 16}"
    assert left < 16 or said.endswith(words)


@pytest.mark.parametrize("left", [5, 100, -10])
def test_truncated_compressed_data(mnist, left):
    path = mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:left])
    assert _said(mnist).startswith(f"{path} is truncated: ")


def test_damaged_compressed_data(mnist):
    path = mnist / "train-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    said = _said(mnist)
    assert said.startswith((f"cannot read {path}: ", f"{path} is truncated"))


def test_more_than_the_head_announces(mnist):
    path = mnist / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes() + b"\0\0")
    said = _said(mnist)
    assert said == f"{path} is too long: its head announces 600 = 600 bytes, there are 602"


def test_something_else_of_that_name(mnist):
    path = mnist / "train-labels-idx1-ubyte"
    path.write_bytes(b"<html>not found</html>")
    said = _said(mnist)
    words = "is no IDX file of bytes with 1 axes: it begins with 3c 68 74 6d, expected 00 00 08 01"
    assert said == f"{path} {words}"


def test_files_that_do_not_go_together(mnist):
    write_idx(mnist / "train-labels-idx1-ubyte", np.zeros(599))
    said = _said(mnist)
    assert said == f"{mnist} has 600 images but 599 labels in its train files"


@pytest.mark.parametrize(("shape", "label"), [((3, 8, 8), 9), ((3, 28, 28), 10)])
def test_other_images_than_mnists(tmp_path, shape, label):
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros(shape))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.full(3, label))
    said = _said(tmp_path, train=False)
    assert said.endswith("MNIST's are of 28 x 28, with labels up to 9")


def test_idx_of_any_length(tmp_path):
    write_idx(tmp_path / "a", np.zeros((0, 28, 28)))
    assert read_idx(tmp_path / "a", 3).shape == (0, 28, 28)
