"""What a file is known by: what shows that it has changed, and what proves that it has not."""

import os
import time

import pytest

import masksolve as ms
from masksolve.checkpoints.stamp import Stamp


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"weights")
    return path


def test_whoever_changes_a_file_after_a_look_is_seen(path):
    """Right after it was written, too, when clocks may not have gone on."""
    for _ in range(20):
        before = Stamp.of(path)
        path.write_bytes(b"stories")
        assert before.differs(Stamp.of(path))


def test_the_same_file_is_proven_to_be_the_same(path):
    assert Stamp.of(path).proves(Stamp.of(path))


def test_times_that_are_set_back_prove_nothing(path):
    before = Stamp.of(path)
    path.write_bytes(b"stories")
    os.utime(path, ns=(0, before.modified))
    after = Stamp.of(path)
    assert not before.differs(after)
    assert not before.proves(after)


@pytest.mark.parametrize("ahead", [60, 0], ids=["another clock", "whole seconds"])
def test_times_that_a_change_may_not_move_prove_nothing(path, ahead):
    now = int(time.time()) + ahead
    os.utime(path, ns=(0, now * 10**9))
    stamp = Stamp.of(path)
    assert not stamp.proves(stamp)
    os.utime(path, ns=(0, (now - 100) * 10**9))
    stamp = Stamp.of(path)
    assert stamp.proves(stamp)


def test_another_file_of_the_same_times_differs(path, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"weights")
    stamp = Stamp.of(path)
    os.utime(other, ns=(0, stamp.modified))
    assert stamp.differs(Stamp.of(other))


def test_it_goes_through_json(path):
    stamp = Stamp.of(path)
    assert Stamp.read(dict(stamp.to_json())) == stamp
    for held in (None, 3, {}, {"size": 1}, dict(stamp.to_json()) | {"inode": "x"}):
        assert Stamp.read(held) is None


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ms.FileFormatError, match=r"cannot read .*nothing"):
        Stamp.of(tmp_path / "nothing")
