"""The examples run, say what they should, and take no nonsense."""

import importlib
from pathlib import Path

import pytest

pytest.importorskip("torch")

FOLDER = Path(__file__).parents[2] / "examples"
NEEDS = {
    "digits_loop": "sklearn",
    "digits_huggingface": "accelerate",
    "digits_lightning": "lightning",
}
SHORT = ["--seeds", "1", "--epochs", "1"]

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


@pytest.fixture(params=NEEDS)
def example(request, monkeypatch):
    pytest.importorskip(NEEDS[request.param])
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module(request.param)


@pytest.mark.parametrize("pattern", ["4:8", "2:4,plain"])
def test_a_short_run(example, pattern, tmp_path, capsys):
    example.main([*SHORT, "--pattern", pattern, "--out", str(tmp_path / "new")])
    out = capsys.readouterr().out
    assert "masks after 22 steps" in out
    assert "accuracy on images not seen, 1 seeds" in out
    ways = "forward" if "plain" in pattern else "both ways"
    assert f"each {pattern} {ways}" in out
    picture = tmp_path / "new" / f"{example.__name__}.png"
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pattern", "9:8"], "argument --pattern: "),
        (["--seeds", "0"], "argument --seeds: '0' is not a positive whole number"),
        (["--epochs", "many"], "argument --epochs: 'many' is not a positive whole number"),
        (["--speed", "10"], "unrecognized arguments: --speed 10"),
        (["--out", __file__], "File exists"),
    ],
)
def test_bad_command_lines(example, arguments, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        example.main(arguments)
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_what_is_refused_is_refused_in_a_sentence(example, monkeypatch, tmp_path):
    name = f"{example.__name__}.py"
    monkeypatch.setattr("sys.argv", [name, *SHORT, "--pattern", "3:7", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=rf"^{name}: no module of .* gets a mask"):
        example.run(example.main)


def test_masks_cost_less_than_a_point(monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(FOLDER)
    behind = importlib.import_module("digits_loop").main(["--out", str(tmp_path)])
    assert behind < 1
