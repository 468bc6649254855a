"""One hypothesis profile for the suite, and kernels compiled before anything is tested."""

import os

import numpy as np
import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.properties")

settings.register_profile(
    "masksolve", deadline=None, derandomize="CI" in os.environ, max_examples=150
)
settings.load_profile("masksolve")


@pytest.fixture(scope="session", autouse=True)
def _warm_kernels():
    """Compile (or load) every kernel once, so that no single test pays for it."""
    import masksolve as ms

    for method in ms.METHODS:
        ms.solve(np.ones((4, 4)), "2:4", method=method, threads=1)
    ms.solve(np.ones((4, 4)), "2:4,plain", threads=1)
    ms.repair(np.ones((4, 4)), np.zeros((4, 4)), "2:4", threads=1)
