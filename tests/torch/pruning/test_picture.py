from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from masksolve.torch.pruning.picture import draw
from tests.refusals import says


def block(number, names, *, held_out=True, sequential=True):
    """What a report says of a block; every error tells where it is from."""
    layers = [
        {
            "name": f"model.layers.{number}.{name}",
            "errors": {
                "before": 0.2 + 0.01 * number,
                "after": 0.1 + 0.01 * number,
                "held_out_before": 0.4 + 0.01 * number if held_out else None,
                "held_out_after": 0.3 + 0.01 * number + 0.001 * k if held_out else None,
            },
        }
        for k, name in enumerate(names)
    ]
    own = {"fit": 0.5, "held_out": 0.6} if sequential else {}
    return {"name": f"model.layers.{number}", "layers": layers, "errors": own}


@pytest.fixture
def drawn(monkeypatch):
    """Every line that is drawn: its label, x and y."""
    lines = []
    plot = Axes.plot

    def watch(self, x, y, **options):
        lines.append((options["label"], [*x], [*y]))
        return plot(self, x, y, **options)

    monkeypatch.setattr(Axes, "plot", watch)
    return lines


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_a_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    draw([block(k, ["self_attn.q_proj.weight"]) for k in range(3)], path, "a title")
    assert path.stat().st_size > 1000
    if suffix == ".png":
        assert np.unique(imread(path).reshape(-1, 4), axis=0).shape[0] > 10


def test_every_figure_of_every_kind_is_a_line_over_blocks(tmp_path, drawn):
    names = ["attn.c_proj.weight", "mlp.c_proj.weight"]  # alike but for their module
    draw([block(k, names) for k in range(4)], tmp_path / "a.png")
    assert len(drawn) == 2 * 4 + 2
    assert all(x == [0, 1, 2, 3] for _, x, _ in drawn)
    found = {label: y for label, _, y in drawn[4:8]}  # of the second kind
    expected = {
        "the first mask alone, on held-out tokens": [0.4, 0.41, 0.42, 0.43],
        "the first mask alone, on fitted tokens": [0.2, 0.21, 0.22, 0.23],
        "masks and weights fitted, on held-out tokens": [0.301, 0.311, 0.321, 0.331],
        "masks and weights fitted, on fitted tokens": [0.1, 0.11, 0.12, 0.13],
    }
    assert found == {label: pytest.approx(y) for label, y in expected.items()}


def test_experts_are_one_kind_and_their_median_a_line(tmp_path, drawn):
    names = [f"mlp.experts.{k}.up_proj.weight" for k in range(3)]
    names += [f"mlp.experts.down_proj[{k}]" for k in range(3)]
    draw([block(k, names) for k in range(2)], tmp_path / "a.png")
    assert len(drawn) == 2 * 4 + 2
    held = [y for label, _, y in drawn if label == "masks and weights fitted, on held-out tokens"]
    assert held[0] == pytest.approx([0.301, 0.311])
    assert held[1] == pytest.approx([0.304, 0.314])


def test_what_was_not_measured_is_not_drawn(tmp_path, drawn):
    blocks = [block(0, ["q.weight"], held_out=False, sequential=False), block(1, [])]
    blocks[0]["layers"][0]["errors"]["after"] = 0.0  # nothing was lost: not on this axis
    draw(blocks, tmp_path / "a.png")
    labels = [label for label, _, _ in drawn]
    own = [
        "masks and weights fitted, on held-out tokens",
        "masks and weights fitted, on fitted tokens",
    ]
    assert labels == ["the first mask alone, on fitted tokens", *own]


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with says("a.txt must end in .png, .svg or .pdf"):
        draw([], Path("a.txt"))
    draw([], tmp_path / "a.png")
