"""The cache of compiled kernels: damage is noticed, and nothing that is wrong with it is fatal."""

import ctypes
import importlib.util
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import pytest
from numba.core import config

from masksolve.kernels import cache, jit

SOURCE = """
from numba import types

from masksolve.kernels.jit import callback, kernel, kernel_for

@kernel
def thrice(x):
    return {factor} * x

@kernel_for((types.float64,))
def four_times(x):
    return 4 * x

@callback(types.int64(types.int64))
def five_times(x):
    return 5 * x
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of its own, in a process that has not warned yet."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_WARNED", [])
    return tmp_path / "cache"


@pytest.fixture
def load(tmp_path, folder, monkeypatch):
    """Load the kernels from one file, as a new process would; it tells what was in the cache."""
    path = tmp_path / "small.py"

    def load(factor=3):
        path.write_text(SOURCE.format(factor=factor))
        spec = importlib.util.spec_from_file_location("small", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "small", module)
        spec.loader.exec_module(module)
        five_times = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(module.five_times)
        assert (module.thrice(7), module.four_times(7), five_times(7)) == (7 * factor, 28, 35)
        hits = [sum(k.stats.cache_hits.values()) for k in (module.thrice, module.four_times)]
        return [*hits, jit._ALIVE[-1].cache_hits]

    return load


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def warned(load):
    """The one sentence that is said while kernels are loaded, each of which works."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        load()
        load()
    (one,) = said
    return str(one.message)


def test_what_one_process_compiles_others_find(load, folder):
    assert load() == [0, 0, 0]
    assert len(files(folder)) == 3
    assert load() == [1, 1, 1]


def test_flipped_bytes_and_missing_ones_are_noticed(load, folder):
    load()
    for path in files(folder):
        whole = path.read_bytes()
        sealed = cache._SealedFiles(str(path.parent), "x", None)
        sealed._path = lambda key, path=path: path
        for k in (*range(0, len(whole), 23), *range(-48, 0)):
            k %= len(whole)
            path.write_bytes(whole[:k] + bytes([whole[k] ^ 1 << k % 8]) + whole[k + 1 :])
            with pytest.raises(cache._Damaged, match="not what was written"):
                sealed.load("any")
        for k in range(0, len(whole), 197):
            path.write_bytes(whole[:k])
            with pytest.raises(cache._Damaged, match="not what was written"):
                sealed.load("any")


def test_damaged_files_are_compiled_anew_with_one_warning_and_replaced(load, folder):
    load()
    good = files(folder)
    for path in good:
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 2] ^= 4
        path.write_bytes(whole)
    said = warned(load)
    assert str(good[0].parent) in said
    assert "not what was written" in said
    assert files(folder) == good
    assert load() == [1, 1, 1]


def test_a_file_that_cannot_be_read_or_written_is_done_without(load, folder):
    load()
    place = files(folder)[0]
    place.unlink()
    place.mkdir()
    said = warned(load)
    assert str(place.parent) in said
    assert "Is a directory" in said


def test_a_file_that_says_something_else_is_done_without(load, folder, monkeypatch):
    """Whole, but of a class that is no longer there, say."""
    monkeypatch.setattr(cache._SealedFiles, "_dump", lambda self, data: b"cno_such\nname\n.")
    load()
    monkeypatch.undo()
    monkeypatch.setattr(config, "CACHE_DIR", str(folder))
    monkeypatch.setattr(cache, "_WARNED", [])
    assert "no_such" in warned(load)


def test_caches_of_numba_itself_are_left_alone(load, folder, tmp_path):
    """A build before had no digests: its files are no damage."""
    load()  # the source is there now
    ours = files(folder)
    for path in ours:
        path.unlink()
    numbas = str(tmp_path / "numbas.py")
    Path(numbas).write_text((tmp_path / "small.py").read_text())
    code = f"""
import numba
path = {str(tmp_path / "small.py")!r}
names = {{}}
source = open(path).read().split("@kernel_for")[0].split("@kernel")[1]
exec(compile("\\n" * 5 + source, path, "exec"), names)
numba.njit(cache=True)(names["thrice"])(7)
"""
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"NUMBA_CACHE_DIR": str(folder)}, check=True
    )
    before = {path: path.read_bytes() for path in files(folder)}
    assert {path.suffix for path in before} == {".nbi", ".nbc"}
    assert load() == [0, 0, 0]
    assert load() == [1, 1, 1]
    assert set(files(folder)) == {*before, *ours}
    assert all(path.read_bytes() == content for path, content in before.items())


def test_another_source_is_compiled_in_silence(load, folder):
    load(3)
    load(30)
    assert len(files(folder)) == 3  # written over
    assert load(30) == [1, 1, 1]


def test_so_is_another_version_of_any_kernel(load, monkeypatch):
    """Kernels have others built in, whose source is elsewhere."""
    load()
    monkeypatch.setattr(cache, "_sources", lambda: "another")
    assert load() == [0, 0, 0]


def test_so_is_another_version_of_numba(load, folder, monkeypatch):
    load()
    monkeypatch.setattr(numba, "__version__", "0.0.0")
    assert load() == [0, 0, 0]
    assert len(files(folder)) == 6


def test_a_folder_that_cannot_be_is_named(load, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "/dev/null/cache")
    monkeypatch.setattr(config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    said = warned(load)
    assert "/dev/null/cache" in said
    assert "Not a directory" in said


RUN = """
import resource, sys
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
sys.path.insert(0, sys.argv[1])
import small
assert small.thrice(7) == 21
"""


def in_a_process(tmp_path, folder, *arguments):
    """Load the kernels in a process of its own; what that says."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), *arguments],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_full_disk_is_said_once_and_leaves_nothing_half_written(tmp_path, folder):
    (tmp_path / "small.py").write_text(SOURCE.format(factor=3))
    said = in_a_process(tmp_path, folder, "100")
    assert said.count("cannot be used") == 1
    assert str(folder) in said
    assert "File too large" in said
    assert files(folder) == []


def test_processes_that_write_at_the_same_time_do_not_disturb_each_other(tmp_path, folder):
    (tmp_path / "small.py").write_text(SOURCE.format(factor=3))
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: in_a_process(tmp_path, folder), range(4)))
    assert said == [""] * 4
    assert len(files(folder)) == 3
    assert in_a_process(tmp_path, folder) == ""


def test_types_have_files_of_their_own(load, folder):
    """An index of them could lose what another process adds, or hand out its code."""
    load()
    kernel = numba.njit(lambda x: x)  # only for its type's machine
    machine = kernel.targetctx.codegen().magic_tuple()
    sealed = cache._SealedFiles(str(folder), "x", "stamp")
    keys = [((types,), machine, ("", "")) for types in (numba.int64, numba.float64)]
    for key, data in zip(keys, ("whole", "broken"), strict=True):
        sealed.save(key, data)
    assert [sealed.load(key) for key in keys] == ["whole", "broken"]
    assert sealed.load(((numba.int8,), machine, ("", ""))) is None
    assert sealed.load((*keys[0][:2], ("other", "code"))) is None
