"""What was made before modules moved: pickles load, checkpoints fit, scripts go on."""

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import masksolve as ms
from masksolve.moved import COMMANDS, MOVED

OLD = Path(__file__).parent / "old"
torch_names = [name for name in MOVED if name.startswith("masksolve.torch.")]


def load(name):
    return pickle.loads((OLD / f"{name}.pkl").read_bytes())


@pytest.mark.parametrize("name", [name for name in MOVED if name not in torch_names])
def test_every_old_name_leads_to_its_module(name):
    old, new = importlib.import_module(name), importlib.import_module(MOVED[name])
    assert [getattr(old, public) for public in new.__all__] == [
        getattr(new, public) for public in new.__all__
    ]


def test_functions_stay_functions_whatever_is_imported():
    from masksolve.solve import solve

    assert ms.solve is solve
    with pytest.raises(ImportError, match="no_such_name"):
        from masksolve.solve import no_such_name  # noqa: F401


def test_results_load():
    result, weights = load("result"), load("stored_mask")
    assert result.status is ms.Status.OPTIMAL
    assert (result.mask == weights.mask).all()
    assert load("certificate").gap == 0
    assert [str(row.pattern) for row in load("plan").rows] == ["2:4", "4:8"]


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_that_moved_say_where_to(name):
    done = subprocess.run([sys.executable, "-m", name], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{name} is no longer installed: in a checkout, {COMMANDS[name]}\n"
