"""Errors whose whole message is checked."""

from contextlib import contextmanager

import pytest

from masksolve.errors import InvalidInput


@contextmanager
def says(sentence, kind=InvalidInput):
    """Expect an error that says exactly this."""
    with pytest.raises(kind) as caught:
        yield
    assert str(caught.value) == sentence
