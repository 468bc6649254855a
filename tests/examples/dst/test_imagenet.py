import pytest
import torch

Image = pytest.importorskip("PIL.Image")

from dst_paper.imagenet import DEVIATION, MEAN, load_imagenet  # noqa: E402

from masksolve.errors import FileFormatError  # noqa: E402
from tests.examples.data import write_imagenet  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    return write_imagenet(tmp_path, train=3, val=1)


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 0)  # none beside this one


def _batches(folder, *, train):
    loader = load_imagenet(folder, 4, train=train)
    assert loader.num_workers in (0, 1)
    loader.num_workers = 0
    return list(loader)


def test_batches_of_both_parts(folder):
    training = _batches(folder, train=True)
    assert [images.shape for images, _ in training] == [(4, 3, 224, 224), (2, 3, 224, 224)]
    assert sorted(torch.cat([labels for _, labels in training]).tolist()) == [0] * 3 + [1] * 3
    ((_, labels),) = _batches(folder, train=False)
    assert labels.tolist() == [0, 1]


def test_an_image_of_one_colour_stays_it(folder):
    Image.new("RGB", (500, 400), (255, 0, 51)).save(folder / "val" / "n01" / "0.JPEG")
    ((images, _),) = _batches(folder, train=False)
    expected = (torch.tensor([1.0, 0.0, 0.2]) - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    torch.testing.assert_close(images[0].mean(dim=(1, 2)), expected, atol=0.05, rtol=0)


def test_grey_and_narrow_images(folder):
    Image.new("L", (10, 900)).save(folder / "train" / "n01" / "0.JPEG")
    assert sum(len(labels) for _, labels in _batches(folder, train=True)) == 6


def _said(folder, act=_batches):
    with pytest.raises(FileFormatError) as caught:
        act(folder, train=True)
    return str(caught.value)


def test_what_is_missing(folder, tmp_path):
    none = tmp_path / "none"
    words = f"there is no folder {none / 'train'}: expected ImageNet as train/CLASS/"
    assert _said(none).startswith(words)
    (folder / "val" / "n03").mkdir()
    assert "has the class n03 in only one of train and val" in _said(folder)


def test_an_image_that_is_cut_off(folder):
    path = folder / "train" / "n01" / "1.JPEG"
    path.write_bytes(path.read_bytes()[:200])
    assert _said(folder).startswith(f"cannot read {path}: ")


def test_an_image_that_another_process_cannot_read(folder):
    path = folder / "train" / "n02" / "0.JPEG"
    path.write_bytes(b"")
    loader = load_imagenet(folder, 4, train=True)
    loader.num_workers = 1
    said = _said(folder, lambda folder, train: list(loader))
    assert said.startswith(f"cannot read {path}: ")
    assert "\n" not in said
