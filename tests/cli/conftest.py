import json
import signal
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest

from masksolve.cli.main import main
from tests.cli.commands import assert_one_line
from tests.storage.files import write_file


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch):
    """Keep rich from taking a pipe for a terminal, here and in child processes."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys):
    """Run a command in this process; one that goes well says nothing on stderr."""

    def run(*arguments, code=0):
        handler = signal.getsignal(signal.SIGTERM)
        try:
            found = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            found = stop.code
        finally:
            signal.signal(signal.SIGTERM, handler)
        ran = Ran(found, *capsys.readouterr())
        assert ran.code == code, ran
        assert (ran.err == "") == (code < 2)
        return ran

    return run


@pytest.fixture
def refused(run):
    """Run a command that fails with one line, which holds all words, and with no output."""

    def refused(*arguments, words=""):
        ran = run(*arguments, code=2)
        assert ran.out == ""
        assert_one_line(ran.err, words)
        return ran.err

    return refused


@pytest.fixture
def tensors():
    """What a model holds: layers of several dtypes, and things that are none."""
    rng = np.random.default_rng(0)

    def layer(*shape, dtype=np.float32):
        return rng.normal(size=shape).astype(dtype)

    return {
        "encoder.0.weight": layer(12, 10),  # ragged for 2:4
        "encoder.0.bias": np.array([1.0, np.nan, -0.0], np.float32),
        "encoder.1.weight": layer(8, 16, dtype=ml_dtypes.bfloat16),
        "head.weight": layer(8, 8, dtype=np.float16),
        "tiny.weight": layer(8, 12, dtype=ml_dtypes.float8_e4m3fn),
        "conv.weight": layer(8, 4, 3, 3),
        "cube": layer(4, 8, 8),
        "steps": rng.integers(-99, 99, (8, 8)),
        "scale": np.float32(3.0).reshape(()),
        "phases": layer(3, 3, dtype=np.complex64),
        "flags": rng.random((5, 3)) < 0.5,
    }


@pytest.fixture
def matrices(tensors):
    """The floats of two dimensions; by default the ragged one is passed over."""
    names = ("encoder.0.weight", "encoder.1.weight", "head.weight", "tiny.weight")
    return {name: tensors[name] for name in names}


@pytest.fixture
def model(tmp_path, tensors):
    return write_file(tmp_path / "model", tensors, {"format": "pt", "note": "ü"})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
