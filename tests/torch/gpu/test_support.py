"""Which devices solve their own tensors, and one warning for those that do not."""

import importlib.util
import os
import subprocess
import sys
import warnings

import pytest
import torch

from masksolve.torch.gpu import support


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    support._why_not_cuda.cache_clear()
    support._warn_once.cache_clear()
    yield
    support._why_not_cuda.cache_clear()


CUDA = torch.device("cuda", 0)


def test_new_devices_will_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert support.why_not(CUDA) is None
    assert support.is_able(CUDA)


def test_devices_too_old_warn_once(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    words = r"^masks of tensors on cuda:0 are found on the CPU: Tesla T4 has .* 7\.5"
    with pytest.warns(UserWarning, match=words):
        assert not support.is_able(CUDA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not support.is_able(CUDA)


def test_without_triton(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert support.why_not(CUDA) == "the kernels need Triton, which is not installed"


def test_other_makers(monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.3")
    assert support.why_not(CUDA) == "the kernels are for devices of NVIDIA's"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.2.0", "the kernels need Triton 3.4 or later, this is 3.2.0"),
        ("3.10.0+git", "Triton does not start: Failed to find C compiler"),
    ],
)
def test_a_triton_that_does_not_start(monkeypatch, version, words):
    class Driver:
        @property
        def active(self):
            raise RuntimeError("Failed to find C compiler.\nPlease specify it")

    triton = pytest.importorskip("triton")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(support, "interpreted", lambda: False)
    monkeypatch.setattr(triton, "__version__", version)
    monkeypatch.setattr(triton.runtime, "driver", Driver())
    assert support.why_not(CUDA) == words


def test_other_devices():
    assert "type mps" in support.why_not(torch.device("mps"))
    assert support.why_not(torch.device("cpu")) is None  # interpreted, here


def test_nothing_of_it_is_imported_before_it_is_needed():
    code = (
        "import sys, torch, masksolve.torch as mst; mst.solve_mask(torch.ones(8, 8), '2:4');"
        "print([name for name in sys.modules if name == 'triton'"
        " or name.startswith('masksolve.torch.gpu')])"
    )
    plain = os.environ | {"TRITON_INTERPRET": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=plain, check=True
    )
    assert done.stdout == "[]\n"


def test_without_triton_all_else_is_as_it_was():
    code = (
        "import sys; sys.modules['triton'] = None\n"
        "import torch, masksolve.torch as mst\n"
        "model = torch.nn.Linear(8, 8); handle = mst.sparsify(model, '2:4')\n"
        "print(int(mst.solve_mask(torch.randn(8, 8), '2:4').sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "32\n"
