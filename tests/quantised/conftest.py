import json

import numpy as np
import pytest

from tests.storage.files import write_file


@pytest.fixture
def write(tmp_path):
    """Write a quantised layer, its configuration beside it and another layer's norm after it."""

    def write(made, more=None):
        if made.config is not None:
            (tmp_path / "config.json").write_text(json.dumps(made.config))
        others = {"norm.weight": np.ones(8, dtype=np.float32), **(more or {})}
        path = tmp_path / "model.safetensors"
        return write_file(path, made.tensors | others, made.metadata)

    return write
