"""Makes the example's modules importable as the script finds them: beside itself."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.examples.data import write_idx

pytest.importorskip("torch")

FOLDER = Path(__file__).parents[3] / "examples" / "dst"
sys.path.insert(0, str(FOLDER))


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
