"""One hypothesis profile for the suite, and kernels compiled before anything is tested."""

import os

import pytest
from hypothesis import settings

from tests.warm import warm

pytest.register_assert_rewrite("tests.properties")

settings.register_profile(
    "masksolve", deadline=None, derandomize="CI" in os.environ, max_examples=150
)
settings.load_profile("masksolve")


@pytest.fixture(scope="session", autouse=True)
def _warm_kernels():
    """Load every kernel once, or compile it: no single test should pay for that."""
    warm("float32", "float64")
