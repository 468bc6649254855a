"""What scripts say when something is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from masksolve.errors import MasksolveError

__all__ = ["in_a_sentence"]


@contextmanager
def in_a_sentence(*, goes_on: bool) -> Iterator[None]:
    """Leave with a sentence and exit code 1 when something is wrong or the user stops it.

    Parameters
    ----------
    goes_on : bool
        Whether the same command goes on where it was stopped.
    """
    try:
        yield
    except (MasksolveError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped" + (": the same command goes on" if goes_on else ""))
