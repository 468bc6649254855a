"""Reports are not drawn: their picture has tests of its own."""

import pytest

from masksolve.torch.pruning import output


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    monkeypatch.setattr(output, "draw", lambda blocks, path, title: None)
