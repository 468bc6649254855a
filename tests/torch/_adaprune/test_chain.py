"""Blocks behind a group do not run again, and where they must, they do."""

from copy import deepcopy

import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.torch._adaprune import groups
from tests.torch._adaprune.models import related

WIDTH = 16


class Block(nn.Module):
    """Two layers, one after the other, beside what it gets; gives a tuple if it is told to."""

    def __init__(self, many=False):
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 32), nn.Linear(32, WIDTH)
        self.many, self.calls = many, 0

    def forward(self, x, memory=None):
        self.calls += 1
        x = x if memory is None else x + memory.mean(0)
        y = x + self.down(torch.relu(self.up(x)))
        return (y, {"numbers": torch.arange(3)}) if self.many else y


class Blocks(nn.Module):
    def __init__(self, count=4, many=False):
        torch.manual_seed(0)
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.ModuleList(Block(many) for _ in range(count))
        self.last = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)[0] if block.many else block(x)
        return self.last(x)


class Nested(nn.Sequential):
    """Lists in a list, and what works in place."""

    def __init__(self):
        torch.manual_seed(0)
        inner = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(inplace=True), Block())
        super().__init__(inner, nn.Sequential(Block(), nn.Tanh()), nn.Linear(WIDTH, WIDTH))


class Skips(Blocks):
    """What the first block gave comes in again at the end."""

    def forward(self, x):
        x = early = self.blocks[0](self.first(x))
        for block in self.blocks[1:]:
            x = block(x)
        return self.last(x + early)


class Rewrites(Blocks):
    """A block's input is written over."""

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x += block(x)
        return self.last(x)


class Decoder(nn.Module):
    def __init__(self, count=3):
        torch.manual_seed(0)
        super().__init__()
        self.encoder = nn.ModuleList(Block() for _ in range(3))
        self.decoder = nn.ModuleList(Block() for _ in range(count))

    def forward(self, x):
        memory = x
        for block in self.encoder:
            memory = block(memory)
        for block in self.decoder:
            x = block(x, memory=memory)
        return x


class Turns(Blocks):
    """Which block is first depends on the batch."""

    def forward(self, x):
        turned = bool(x[0, 0] > 0)
        for block in reversed(self.blocks) if turned else self.blocks:
            x = block(x)
        return self.last(self.first(x))


MODELS = {
    "blocks": Blocks,
    "tuples": lambda: Blocks(many=True),
    "nested": Nested,
    "skips": Skips,
    "rewrites": Rewrites,
    "decoder": Decoder,
    "turns": Turns,
}


def batches():
    return list(related(90, WIDTH).split(30))


def calls_of(model, **asked):
    for block in (blocks := [m for m in model.modules() if isinstance(m, Block)]):
        block.calls = 0
    mst.adaprune(model, batches(), "4:8", remask=1, **asked)
    return [block.calls for block in blocks]


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
@pytest.mark.parametrize("optimizer", ["least_squares", "adam"])
@pytest.mark.parametrize("name", MODELS)
def test_weights_are_those_of_passes_from_the_start(name, mode, optimizer, monkeypatch):
    model = MODELS[name]()
    other = deepcopy(model)
    asked = {"mode": mode, "optimizer": optimizer, "iterations": 5, "memory": 1}
    mst.adaprune(model, batches(), "4:8", **asked)
    monkeypatch.setattr(groups, "candidates", lambda model: [])
    mst.adaprune(other, batches(), "4:8", **asked)
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("make", [Blocks, lambda n: Blocks(n, many=True)])
def test_passes_are_not_quadratic_in_depth(make):
    few, many = calls_of(make(3)), calls_of(make(12))
    assert max(many) == max(few)


def test_a_decoder_does_not_run_its_encoder_again():
    few, many = (calls_of(Decoder(count)) for count in (2, 6))
    assert few[:3] == many[:3]


def test_skipped_blocks_that_are_needed_run_from_then_on():
    """One pass finds out."""
    skips, plain = calls_of(Skips(8)), calls_of(Blocks(8))
    assert sum(skips) > sum(plain)


def test_what_is_not_a_number_from_the_start_is_no_skip():
    rows = [torch.full((3, WIDTH), float("nan"))]
    with pytest.raises(ms.InvalidInput, match=r"blocks.2.up.weight: its inputs are not all finite"):
        mst.adaprune(Blocks(), rows, "4:8", select="blocks.2.*")


def test_in_the_end_blocks_are_as_they_were():
    model = Blocks()
    model.blocks[1].forward = own = lambda x: Block.forward(model.blocks[1], x)
    with pytest.raises(ms.MasksolveError):
        mst.adaprune(model, [*batches(), torch.full((3, WIDTH), float("nan"))], "4:8")
    assert model.blocks[1].forward is own
    mst.adaprune(model, batches(), "4:8")
    assert model.blocks[1].forward is own
    assert "forward" not in model.blocks[0].__dict__
