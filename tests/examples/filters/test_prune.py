"""The published networks prune, and the command goes through on files made on the spot."""

import sys
from pathlib import Path

import pytest

from tests.examples.data import write_cifar_10

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[3] / "examples" / "filters"


@pytest.fixture
def prune(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    import prune

    yield prune
    for name in [k for k in sys.modules if k.startswith(("prune", "filters_paper", "dst_paper"))]:
        del sys.modules[name]


@pytest.fixture
def data(tmp_path):
    return write_cifar_10(tmp_path)


NETWORKS = {  # millions of parameters, as published, and groups of filters that may be pruned
    "resnet-20": (0.27, 9 + 3),
    "vgg-16": (15.0, 13 + 1),
    "densenet-22": (0.07, 9 + 9 + 3),
    "wrn-16-8": (11.0, 6 + 4),
    "resnet-18": (11.7, 8 + 4),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_published_networks_can_be_followed(prune, name):
    from masksolve.torch.filters.following import follow

    settings, (millions, free) = prune.SETTINGS[name], NETWORKS[name]
    torch.manual_seed(0)
    network = settings.network().eval()
    count = sum(p.numel() for p in network.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.06)
    side = 64 if settings.data == "imagenet" else 32
    found = follow(network, torch.randn(2, 3, side, side))
    assert len(found.atoms.groups) == free


def test_rates_climb_and_fall(prune):
    share = prune.SETTINGS["resnet-20"].share
    assert [share(k) for k in (0, 4, 90, 91, 181)] == pytest.approx([0.2, 1, 1, 0.1, 0.01])


def test_train_prune_and_train_again(prune, data, capsys, tmp_path):
    options = f"--budget 0.6 --epochs 1 --images 4 --device cpu --out {tmp_path / 'out'}"
    command = f"resnet-20 --data {data} {options}".split()
    prune.main(command)
    said = capsys.readouterr().out
    assert said.startswith("dense  epoch   1  loss ")
    assert "deterministic-0.6  epoch   1" in said
    assert "parameters (5" in said
    last = said.splitlines()[-1]
    prune.main(command)
    again = capsys.readouterr().out
    assert "epoch" not in again
    assert again.splitlines()[-1] == last


def test_bad_input_in_a_sentence(prune, data, tmp_path):
    def said(options, data=data):
        command = f"resnet-20 --data {data} --device cpu --out {tmp_path} {options}"
        with pytest.raises(SystemExit) as stopped:
            prune.main(command.split())
        return stopped.value.code

    assert said("--budget 0.5 --epochs 0").startswith("error: expected at least one")
    for budget in ("0", "1.5", "nan"):
        assert said(f"--budget {budget}").endswith(f"got 182, 256 and {budget}")
    assert "test_batch" in said("--budget 0.5", data=FOLDER)
    (tmp_path / "dense.pt").write_bytes(b"nothing")
    assert "cannot go on from" in said("--budget 0.5 --epochs 1")
