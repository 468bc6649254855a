"""The script itself, on a MNIST file set made on the spot."""

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from dst_paper.settings import SETTINGS

from .conftest import FOLDER

SPEC = spec_from_file_location("dst_train", FOLDER / "train.py")
script = module_from_spec(SPEC)
SPEC.loader.exec_module(script)


pytestmark = pytest.mark.usefixtures("one_thread")


def _train(data, *options, network="lenet-300-100", epochs=2):
    usual = f"{network} --data {data} --epochs {epochs} --device cpu"
    script.main([*usual.split(), *map(str, options)])


def _log(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_mnist_files_train_end_to_end(mnist, tmp_path, capsys):
    out = tmp_path / "run"
    _train(mnist, "--out", out, "--alpha", 5e-3, epochs=4)
    first, *_, last = _log(out)
    assert last["accuracy"] > 0.9
    assert last["loss"] < first["loss"]
    assert 0 < last["remaining"] < first["remaining"] < 1
    assert set(last["layers"]) == {"1.weight", "3.weight", "5.weight"}
    assert last["thresholds"]["1.weight"] > first["thresholds"]["1.weight"] > 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 5
    assert printed[-1].startswith("best on the test set, as the paper reports it: epoch ")


def test_the_command_as_it_is_typed(mnist):
    command = [sys.executable, FOLDER / "train.py", "lenet-300-100", "--data", mnist]
    done = subprocess.run([*command, "--epochs", "1"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("epoch   1  loss ")


@pytest.mark.parametrize("network", ["lenet-5-caffe", "lstm-a"])
def test_other_networks_of_mnist(mnist, tmp_path, network):
    _train(mnist, "--out", tmp_path / "run", network=network, epochs=1)
    (record,) = _log(tmp_path / "run")
    assert 0 < record["remaining"] <= 1
    assert any("forget" in name for name in record["layers"]) is (network == "lstm-a")


def test_dense_then_sparse_from_it(mnist, tmp_path):
    dense, out = tmp_path / "dense", tmp_path / "sparse"
    _train(mnist, "--dense", "--out", dense)
    assert "remaining" not in _log(dense)[-1]
    _train(mnist, "--start", dense / "last.pt", "--out", out, epochs=1)
    assert _log(out)[0]["loss"] < _log(dense)[-1]["loss"] + 0.1


def test_a_run_goes_on(mnist, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _train(mnist, "--out", whole, epochs=3)
    _train(mnist, "--out", parts, epochs=1)
    _train(mnist, "--out", parts, epochs=3)
    assert _log(parts) == _log(whole)
    _train(mnist, "--out", parts, epochs=3)
    assert len(_log(parts)) == 3


def test_masks_by_thresholds_every_layers_pattern_its_own(mnist, tmp_path):
    out = tmp_path / "run"
    _train(mnist, "--pattern", ":8", "--alpha", 5e-3, "--out", out, epochs=3)
    last = _log(out)[-1]
    kept = {name: int(p.partition(":")[0]) for name, p in last["patterns"].items()}
    assert len(set(kept.values())) > 1
    assert all(last["layers"][name] <= n / 8 + 0.05 for name, n in kept.items())
    _train(mnist, "--pattern", ":8", "--alpha", 5e-3, "--out", out, epochs=4)  # goes on
    _train(mnist, "--pattern", "2:8,at-most", "--out", tmp_path / "fixed", epochs=1)
    patterns = _log(tmp_path / "fixed")[0]["patterns"]
    assert set(patterns.values()) == {"2:8,at-most"}


def test_reset_and_kinds_of_thresholds_reach_the_layers(mnist, monkeypatch):
    seen, convert = [], script.dst.convert
    noted = lambda model, **options: seen.append(options) or convert(model, **options)  # noqa: E731
    monkeypatch.setattr(script.dst, "convert", noted)
    _train(mnist, "--thresholds", "scalar", "--reset", "never", epochs=1)
    _train(mnist, "--reset", "0.05", network="lstm-a", epochs=1)
    assert (seen[0]["thresholds"], seen[0]["reset_below"]) == ("scalar", None)
    assert (seen[1]["select"], seen[1]["reset_below"]) == (SETTINGS["lstm-a"].masked, 0.05)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--alpha", "-1"], "an alpha from 0 up, got 2 and -1.0"),
        (["--alpha", "nan"], "an alpha from 0 up, got 2 and nan"),
        (["--reset", "often"], "--reset must be published, never or a share, got 'often'"),
        (["--pattern", "9:8"], "n must be at most m"),
        (["--pattern", ":x"], "--pattern must be like 2:4,at-most, or :8, got ':x'"),
        (["--pattern", ":65"], "m must be at most 64"),
        (["--start", "nowhere.pt"], "cannot start from nowhere.pt"),
    ],
)
def test_bad_options_are_one_sentence(mnist, options, said):
    with pytest.raises(SystemExit) as caught:
        _train(mnist, *options)
    assert str(caught.value).startswith("error: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value).replace("nowhere.pt: ", "")[:80]


def test_truncated_data_is_one_sentence(mnist):
    path = mnist / "t10k-images.idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    command = [sys.executable, FOLDER / "train.py", "lenet-300-100", "--data", mnist]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    words = "its head announces 200 x 28 x 28 = 156800 bytes, there are 156799"
    assert done.stderr == f"error: {path} is truncated: {words}\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(mnist, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"^error: .*File exists"):
        _train(mnist, "--out", tmp_path / "file")


def test_a_checkpoint_of_another_run(mnist, tmp_path):
    _train(mnist, "--out", tmp_path / "run", epochs=1)
    with pytest.raises(SystemExit, match=r"cannot go on from .*last\.pt: expected"):
        _train(mnist, "--out", tmp_path / "run", network="lstm-a")
    last = tmp_path / "run" / "last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(SystemExit, match=r"cannot go on from .*last\.pt: expected"):
        _train(mnist, "--out", tmp_path / "run")
