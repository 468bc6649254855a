"""The example goes through on files made on the spot, and takes checkpoints of other names."""

import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL.Image")

import masksolve as ms  # noqa: E402
from masksolve.errors import InvalidInput  # noqa: E402
from tests.examples.data import write_cifar_10, write_idx, write_imagenet  # noqa: E402

FOLDER = Path(__file__).parents[3] / "examples" / "adaprune"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def prune(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    monkeypatch.setattr("os.cpu_count", lambda: 0)  # no processes beside this one
    import prune

    yield prune
    for name in [k for k in sys.modules if k == "prune" or k.startswith("dst_paper")]:
        del sys.modules[name]


@pytest.fixture
def mnist(tmp_path):
    rng = np.random.default_rng(0)
    for part, number in (("train", 40), ("t10k", 20)):
        images = rng.integers(256, size=(number, 28, 28))
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(number) % 10)
    return tmp_path


def arguments(network, data, start, options):
    return [*f"{network} --data {data} --start {start} --device cpu".split(), *options.split()]


def kept(prune, name, path):
    """Keep a network as `train.py --dense` does."""
    torch.manual_seed(0)
    network = prune.SETTINGS[name].network()
    torch.save({"network": network.state_dict(), "epoch": 1}, path)
    return network


def test_a_network_becomes_sparse_and_the_command_goes_on(prune, mnist, tmp_path, capsys):
    dense = kept(prune, "lenet-300-100", tmp_path / "dense.pt")
    out = tmp_path / "out"
    options = f"--pattern 2:4 --images 2 --out {out}"
    command = arguments("lenet-300-100", mnist, tmp_path / "dense.pt", options)
    prune.main(command)
    said = capsys.readouterr().out
    assert said.startswith("accuracy dense: ")
    assert "accuracy pruned, 20 images: " in said
    held = torch.load(out / "pruned.pt", weights_only=True)["network"]
    for name in ("1.weight", "3.weight"):
        ms.check_mask((held[name] != 0).numpy(), "2:4")
    last = dense.state_dict()["5.weight"]  # its 10 outputs do not fit
    torch.testing.assert_close(held["5.weight"], last, rtol=0, atol=0)
    prune.main(command)
    again = torch.load(out / "pruned.pt", weights_only=True)["network"]
    for name, tensor in held.items():
        torch.testing.assert_close(again[name], tensor, rtol=0, atol=0)


def test_patterns_by_density_as_published(prune, mnist, tmp_path, capsys):
    network = kept(prune, "lenet-300-100", tmp_path / "sparse.pt")
    generator = torch.manual_seed(1)
    with torch.no_grad():
        for index, zeros in ((3, 0.8), (1, 0.1)):
            weight = network[index].weight
            weight *= torch.rand(weight.shape, generator=generator) >= zeros
    torch.save(network.state_dict(), tmp_path / "sparse.pt")
    options = "--pattern :4,plain --mode parallel --optimizer adam --iterations 3"
    prune.main(arguments("lenet-300-100", mnist, tmp_path / "sparse.pt", options))
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.strip().startswith("3.weight"))
    assert "2:4,plain" in row
    assert "dense: 1.weight and 1 more, no pattern is given for it" in said


def small():
    """Make a network whose first and last layer could have masks, too."""
    nn = torch.nn
    return nn.Sequential(
        nn.PixelUnshuffle(32),
        nn.Conv2d(3072, 16, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(400, 1000),
    )


def test_images_of_imagenet_and_dense_ends(prune, tmp_path, capsys, monkeypatch):
    write_imagenet(tmp_path, train=2, val=2)
    settings = dataclasses.replace(prune.SETTINGS["resnet-50"], network=small)
    monkeypatch.setattr(prune, "SETTINGS", {"resnet-50": settings})
    kept(prune, "resnet-50", tmp_path / "dense.pt")
    options = "--pattern 4:8,plain --dense-ends"
    prune.main(arguments("resnet-50", tmp_path, tmp_path / "dense.pt", options))
    said = capsys.readouterr().out
    assert "accuracy pruned, 2 images: " in said
    assert "dense: 1.weight, it is the first that the model runs" in said
    assert any(line.strip().startswith("4.weight") for line in said.splitlines())


def test_checkpoints_of_other_names(prune, tmp_path):
    """As torchvision's ResNet-50 has the same tensors in the same order."""
    make = prune.SETTINGS["resnet-50"].network
    first, second = make(), make()
    renamed = {f"t{k}": tensor for k, tensor in enumerate(first.state_dict().values())}
    torch.save({"epoch": 3, "state_dict": renamed}, tmp_path / "named.pth")
    prune.start(second, tmp_path / "named.pth")
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_first_images_of_every_class(prune):
    images = torch.arange(12.0).view(12, 1)
    labels = torch.tensor([0, 0, 0, 1, 2, 2, 1, 0, 2, 1, 1, 1])
    batches = list(zip(images.split(4), labels.split(4), strict=True))
    assert prune.gather(batches, 2, 3).flatten().tolist() == [0, 1, 3, 4, 5, 6]
    assert prune.gather(batches, 4, 3).flatten().tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_what_is_wrong_in_a_sentence(prune, tmp_path):
    write_cifar_10(tmp_path)

    def said(options="", data=tmp_path):
        usual = arguments("vgg-16", data, tmp_path / "s.pt", "--pattern 4:8")
        with pytest.raises(SystemExit) as stopped:
            prune.main([*usual, *options.split()])
        return stopped.value.code

    assert said("--images 0").startswith("error: expected at least one image of each class")
    assert "cannot start from" in said()
    torch.save({"a": torch.zeros(2)}, tmp_path / "s.pt")
    assert "tensors of the network, in its shapes and order, got 1 others" in said()
    assert re.search(r"(test|data)_batch", said(data=FOLDER))
    with pytest.raises(InvalidInput, match="--pattern must be like 4:8,plain or :8"):
        prune._pattern(":x")
