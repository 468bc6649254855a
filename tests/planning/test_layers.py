"""Where weights come from: arrays, files, modules."""

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from tests.planning.fakes import FakeParameter, fake_module
from tests.storage.files import write_file


def test_a_file_and_a_mapping_agree(weights, tmp_path):
    tensors = {
        "w": weights,
        "bias": weights[0],
        "ids": np.arange(16).reshape(4, 4),
        "none": np.empty((0, 8), np.float32),
        "v": weights.astype(np.float16),
    }
    file = write_file(tmp_path / "model", tensors)
    chosen = {name: tensors[name] for name in ("w", "v")}
    want = ms.plan(chosen, ["2:4"])
    found = ms.plan(file, ["2:4"])
    assert (found.rows, found.layers) == (want.rows, want.layers)
    assert dict(found.skipped).keys() == {"bias", "ids", "none"}
    assert ms.plan(str(file), ["2:4"]).to_dict() == found.to_dict()


def test_a_module_by_its_parameters(weights):
    half = weights.astype(ml_dtypes.bfloat16)
    given = {"w": weights, "half": half}
    held = {name: FakeParameter(w) for name, w in (given | {"bias": weights[0]}).items()}
    module = fake_module(**held, codes=FakeParameter(weights, floating=False))
    found, want = ms.plan(module, ["2:4"]), ms.plan(given, ["2:4"])
    assert (found.rows, found.layers) == (want.rows, want.layers)
    assert dict(found.skipped).keys() == {"bias", "codes"}


def test_a_torch_module(weights):
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(40, 24, dtype=torch.bfloat16)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights))
    (row,) = ms.plan(torch.nn.Sequential(linear), ["2:4"]).layers
    want = ms.solve(weights.astype(ml_dtypes.bfloat16), "2:4").objective
    assert (row.name, row.kept, row.dense_bits) == ("0.weight", want, 16 * 960)
