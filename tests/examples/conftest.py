"""What tests of several examples share."""

import pytest


@pytest.fixture
def one_thread():
    """For what is this small a second thread mostly waits."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
