"""Comparisons of what models hold."""

import copy
from contextlib import contextmanager

import torch


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@contextmanager
def unchanged(model):
    """Expect that a model's state stays as it is."""
    before = copy.deepcopy(model.state_dict())
    yield
    assert_same(before, model.state_dict())
