"""Replicas in two processes have the thresholds of one process alone."""

import pytest
import torch

if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
    pytest.skip("torch without gloo", allow_module_level=True)

from tests.torch.dst import replicas
from tests.torch.processes import Processes


def test_replicas_learn_the_thresholds_of_one(tmp_path):
    expected, resets = replicas.train()
    assert resets > 0
    crew = Processes(tmp_path)
    try:
        outcomes = crew(replicas.train)
    finally:
        crew.close()
    for parameters, taken_back in outcomes:
        assert taken_back == resets
        for name, value in expected.items():
            torch.testing.assert_close(parameters[name], value, rtol=1e-4, atol=1e-5)
            assert torch.equal(parameters[name], outcomes[0][0][name])
