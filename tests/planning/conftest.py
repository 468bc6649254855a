"""Weights that more than one file of tests plans for."""

import numpy as np
import pytest


@pytest.fixture
def weights():
    return np.random.default_rng(0).normal(size=(24, 40)).astype(np.float32)
