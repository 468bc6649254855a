"""Makes the example's modules importable as the script finds them: beside itself."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

FOLDER = Path(__file__).parents[3] / "examples" / "dst"
sys.path.insert(0, str(FOLDER))


def write_idx(path, array):
    """Write bytes as the IDX format has them, by hand."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def bars(number, seed):
    """Draw images of 28 x 28 in which a bright bar stands where the label says, in noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(10, size=number)
    images = random.integers(60, size=(number, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 + 2 * label : 6 + 2 * label] = 255
    return images, labels


@pytest.fixture
def mnist(tmp_path):
    """A folder with a small MNIST file set, some of it compressed."""
    images, labels = bars(600, seed=0)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels)
    images, labels = bars(200, seed=1)
    write_idx(tmp_path / "t10k-images.idx3-ubyte", images)
    write_idx(tmp_path / "t10k-labels.idx1-ubyte.gz", labels)
    return tmp_path
