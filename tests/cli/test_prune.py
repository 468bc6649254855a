"""``masksolve prune``, from text to a table; without torch it says so."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("transformers")

from masksolve.cli.main import main
from tests.cli.commands import assert_one_line


@pytest.fixture
def model(tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    from tests.torch.pruning import models

    draw = np.random.default_rng(0)
    save_file({"tokens": draw.integers(3, 64, 2000)}, tmp_path / "tokens.safetensors")
    return models.make("llama", tmp_path / "model")


def test_a_folder_from_tokens(model, tmp_path, capsys):
    out, tokens = tmp_path / "out", str(tmp_path / "tokens.safetensors")
    asked = ["prune", str(model), str(out), "--pattern", "4:8", "--calibration", tokens]
    asked += ["--length", "32", "--samples", "32", "--algorithm", "wanda", "--evaluate", tokens]
    assert main(asked) == 0
    said = capsys.readouterr()
    for words in ("2 blocks, 14 matrices", "down_proj", "output head", "ratio, paired"):
        assert words in said.out
    assert main([*asked, "--json"]) == 0  # it is done
    report = json.loads(capsys.readouterr().out)
    assert report["evaluation"]["model"] == str(out)
    assert report["evaluation"]["ratio"]["value"] > 0
    assert main(["check", str(out)]) == 0
    assert main([*asked[:-2], "--seed", "1"]) == 2
    assert_one_line(capsys.readouterr().err, "out holds a run with calibration")


def test_bad_input_is_one_line(model, tmp_path, capsys):
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    asked = ["prune", str(model), str(tmp_path / "out"), "--pattern", "4:8", "--calibration"]
    assert main([*asked, str(empty)]) == 2
    assert_one_line(capsys.readouterr().err, "empty.txt")
    assert main([*asked, str(tmp_path / "none.txt")]) == 2
    assert_one_line(capsys.readouterr().err, "cannot read none.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "empty.txt", "model", "tokens.safetensors",
    ]  # fmt: skip


def test_torch_is_imported_by_the_command_alone():
    script = "import sys, masksolve.cli.main; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout == "False\n"
