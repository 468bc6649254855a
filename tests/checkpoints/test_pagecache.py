"""What a run alone brought into memory leaves it again."""

import os

import pytest

from masksolve.checkpoints.pagecache import drop, is_cached

MEGABYTE = 1 << 20

linux = pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="only Linux tells")


@pytest.fixture
def file(tmp_path):
    """Lie on the disk for good: what is not written yet cannot be dropped."""
    path = tmp_path / "file"
    with path.open("wb") as out:
        out.write(bytes(MEGABYTE))
        os.fsync(out.fileno())
    return str(path)


def can_drop(file):
    """Tell whether its file system does as it is advised: those in memory do not."""
    drop(file, 0, MEGABYTE)
    return not is_cached(file, 0, MEGABYTE)


@linux
def test_what_is_read_is_cached_until_it_is_dropped(file):
    if not can_drop(file):
        pytest.skip("a file system that keeps what it has")
    with open(file, "rb") as read:
        read.read()
    assert is_cached(file, 0, MEGABYTE)
    drop(file, 0, MEGABYTE)
    assert not is_cached(file, 0, MEGABYTE)


def test_where_nobody_knows_all_is_cached(file, tmp_path, monkeypatch):
    assert is_cached(file, 0, 0)
    assert is_cached(str(tmp_path / "none"), 0, 1)
    monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
    assert is_cached(file, 0, MEGABYTE)


def test_a_missing_file_is_dropped_in_silence(tmp_path):
    drop(str(tmp_path / "none"), 0, 1)
