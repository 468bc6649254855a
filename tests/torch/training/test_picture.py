"""The picture of a history."""

import sys

import numpy as np
import pytest

import masksolve as ms
from masksolve.torch.training.flips import Flips
from masksolve.torch.training.picture import Curve, _aligned
from tests.storage.files import contents
from tests.torch.training import test_history


def trained(steps=5, pattern="2:4", **options):
    return test_history.trained(steps, pattern, **options)[0]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_a_picture(tmp_path, ending):
    path = tmp_path / f"history.{ending}"
    trained().history.plot(path)
    assert path.stat().st_size > 5000
    assert contents(tmp_path).keys() == {path.name}


@pytest.mark.parametrize(
    "handle",
    [
        {"steps": 0},
        {"steps": 200, "refresh_every": 2},
        {"pattern": test_history.MIXED, "warmup": 2, "ramp": 6, "steps": 12},
        {"estimator": "none"},
    ],
    ids=["one record", "without marks", "layers at steps of their own", "static"],
)
def test_all_kinds_of_histories(tmp_path, handle):
    trained(**handle).history.plot(str(tmp_path / "history.png"))
    assert (tmp_path / "history.png").exists()


def test_after_a_refresh_by_hand(tmp_path):
    handle = trained()
    handle.refresh()
    handle.history.plot(tmp_path / "history.png")


def test_distances_are_those_of_the_history():
    handle = trained(steps=30)
    size = {name: mask.numel() for name, mask in handle.masks.items()}
    for name, curve in zip(handle.masks, handle.history._curves().distances, strict=True):
        assert list(curve.steps) == list(range(31))
        for step, percent in zip(*curve, strict=True):
            far = handle.history.sad(None, step, [name])
            assert percent == pytest.approx(100 * far / size[name])
    assert max(curve.values) > 0


def test_distances_without_a_flip():
    flips = Flips(0)
    flips.add(1, np.empty(0, dtype=np.uint32))
    assert flips.from_first() == [0, 0]


def test_values_at_steps():
    curve = Curve([2, 4, 4], [1.0, 2.0, 3.0])
    steps, nan = [1, 2, 3, 4, 5], np.nan
    np.testing.assert_equal(_aligned(curve, steps, hold=True), [nan, 1, 1, 3, 3])
    np.testing.assert_equal(_aligned(curve, steps, hold=False), [nan, 1, nan, 3, nan])
    assert np.isnan(_aligned(Curve([], []), [1], hold=False)).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("history.gif", r"must end in \.png, \.svg or \.pdf"),
        ("history", "must end in"),
        ("nowhere/history.png", "folder that does not exist"),
        ("folder.png", "is a folder"),
    ],
)
def test_pictures_that_cannot_be(tmp_path, name, words):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ms.InvalidInput, match=words):
        trained(steps=1).history.plot(tmp_path / name)
    assert contents(tmp_path) == {}


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ms.InvalidInput, match="drawing needs matplotlib: pip install"):
        trained(steps=1).history.plot(tmp_path / "history.png")
    assert contents(tmp_path) == {}
