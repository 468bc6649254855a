"""The picture of a plan."""

import sys

import numpy as np
import pytest

import masksolve as ms
from tests.storage.files import contents


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_a_picture(weights, tmp_path, ending):
    path = tmp_path / f"plan.{ending}"
    ms.plan(weights, ["2:4", "4:8,at-most", "2:8,plain"], sample=4).draw(path)
    assert path.stat().st_size > 5000
    assert contents(tmp_path).keys() == {path.name}


def test_one_density_and_unknown_counts_can_be_drawn(tmp_path):
    ms.plan(np.ones((64, 64)), ["16:32,at-most"]).draw(str(tmp_path / "one.png"))
    assert (tmp_path / "one.png").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plan.gif", "must end in .png, .svg or .pdf"),
        ("plan", "must end in"),
        ("nowhere/plan.png", "folder that does not exist"),
        ("folder.png", "is a folder"),
    ],
)
def test_pictures_that_cannot_be(weights, tmp_path, name, words):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ms.InvalidInput, match=words):
        ms.plan(weights, ["2:4"]).draw(tmp_path / name)
    assert contents(tmp_path) == {}


def test_without_matplotlib(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ms.InvalidInput, match="drawing needs matplotlib: pip install"):
        ms.plan(weights, ["2:4"]).draw(tmp_path / "plan.png")
    assert contents(tmp_path) == {}
