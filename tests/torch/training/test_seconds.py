"""What a handle says of seconds is of the work: kernels that are made for it are not."""

import torch

import masksolve.torch as mst
from masksolve import compiling
from tests.test_compiling import FakeTime
from tests.torch.trained import WEIGHTS, net


def test_the_first_layer_pays_for_no_kernel(monkeypatch):
    """A slow kernel stands for any: the first layer takes 40 s, each 2 s."""
    clock = FakeTime()
    monkeypatch.setattr(compiling, "time", clock)
    monkeypatch.setattr(compiling, "_CLOCK", compiling._Clock())
    seen = []

    def score(layer):
        clock.pass_(2)
        if not seen:
            clock.pass_(40, compiled=True)
        seen.append(layer)
        return torch.ones(layer.weight.shape)

    handle = mst.sparsify(net(), "2:4", score=score)
    assert {row.name: row.seconds for row in handle.report().layers} == dict.fromkeys(WEIGHTS, 2)
