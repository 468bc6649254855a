import pytest
import torch
from dst_paper.settings import SETTINGS

from masksolve.torch import dst

# Weights of two axes or more, from the papers' layer sizes.
WEIGHTS = {
    "lenet-300-100": 784 * 300 + 300 * 100 + 100 * 10,
    "lenet-5-caffe": 20 * 25 + 50 * 20 * 25 + 800 * 500 + 500 * 10,
    "lstm-a": 4 * 128 * (28 + 3 * 128),
    "lstm-b": 4 * 256 * (28 + 3 * 256),
    "vgg-16": 9
    * (3 * 64 + 64**2 + 64 * 128 + 128**2 + 128 * 256 + 2 * 256**2 + 256 * 512 + 5 * 512**2)
    + 512**2
    + 5120,
}
PARAMETERS = {  # without thresholds, as printed
    "lenet-300-100": 266_610,  # 267 K
    "lenet-5-caffe": 431_080,  # 431 K
    "wideresnet-16-8": 10_961_370,  # 11.0 M in Zagoruyko & Komodakis 2016
    "resnet-50": 25_557_032,  # 25.6 M
}
SIDES = {"mnist": (1, 28), "cifar-10": (3, 32), "imagenet": (3, 224)}


def _network(name):
    with torch.device("meta"):
        return SETTINGS[name].network()


@pytest.mark.parametrize("name", SETTINGS)
def test_shapes_from_images_to_classes(name):
    network, settings = _network(name), SETTINGS[name]
    channels, side = SIDES[settings.data]
    images = torch.zeros(2, channels, side, side, device="meta")
    classes = 1000 if settings.data == "imagenet" else 10
    assert network(images).shape == (2, classes)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_published(name):
    assert sum(p.numel() for p in _network(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_masked(name):
    network, settings = _network(name), SETTINGS[name]
    dense = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    dst.convert(network, select=settings.masked)
    masked = sum(w.threshold.numel() > 0 and w.dense.numel() for w in _weights(network))
    if settings.masked is None:
        assert masked == dense
    else:
        assert dense - masked == network.output.weight.numel()
    assert masked == WEIGHTS.get(name, masked)


def _weights(network):
    from masksolve.torch.dst.thresholds import sparse_weights

    return list(sparse_weights(network))


def test_the_papers_settings():
    found = {
        name: (s.optimizer, s.rate, s.batch, s.epochs, s.milestones, s.decay, s.alpha)
        for name, s in SETTINGS.items()
    }
    mnist = ("sgd", 0.01, 64, 20, (), 0.0, 5e-4)
    lstm = ("adam", 1e-3, 100, 20, (), 0.0, 1e-4)
    cifar = ("sgd", 0.1, 64, 160, (80, 120), 1e-4, 5e-6)
    assert found["lenet-300-100"] == found["lenet-5-caffe"] == mnist
    assert found["lstm-a"] == found["lstm-b"] == lstm
    assert found["vgg-16"] == found["wideresnet-16-8"] == cifar


def test_optimizers_have_the_thresholds_too():
    network = dst.convert(SETTINGS["lenet-300-100"].network())
    optimizer = SETTINGS["lenet-300-100"].make_optimizer(network)
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert all(id(w.threshold) in trained for w in _weights(network))
    assert optimizer.param_groups[0]["momentum"] == 0.9


def test_first_weights():
    torch.manual_seed(0)
    lstm = SETTINGS["lstm-a"].network()
    assert not bool(lstm.lstm.bias_ih_l0.any())
    assert not bool(lstm.lstm.bias_hh_l1.any())
    assert lstm.output.weight.abs().max().item() <= 0.1
    norms = [m for m in SETTINGS["vgg-16"].network() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 13
    assert all(bool((norm.weight == 0.5).all()) for norm in norms)
