"""What a suite's user writes is read as files, not collected; torch keeps to one thread."""

import sys

import pytest

collect_ignore = ["solvers.py"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Two threads would mostly wait for each other, and for other tests."""
    torch = sys.modules.get("torch")  # whoever needs it has imported it
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
