"""Bytes come as they are in the file, whichever way they take, and leave the cache as it was."""

import errno
import mmap
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masksolve as ms
from masksolve.checkpoints import reading
from masksolve.checkpoints.pagecache import drop, is_cached
from masksolve.checkpoints.reading import Arriving, read
from masksolve.checkpoints.rooms import Room

SIZE = 3 * mmap.PAGESIZE + 1000


@pytest.fixture(scope="module")
def content():
    return np.random.default_rng(0).integers(256, size=SIZE, dtype=np.uint8)


@pytest.fixture
def file(tmp_path, content):
    return written(tmp_path / "file", content)


def written(path, content):
    """Lie on the disk for good, and be in no cache."""
    with path.open("wb") as out:
        out.write(content.data)
        os.fsync(out.fileno())
    drop(str(path), 0, content.size)
    return str(path)


@pytest.fixture(params=["past the cache", "refused at once", "refused later", "no such way"])
def way(request, monkeypatch):
    """Have the file read in each way that there is."""
    monkeypatch.setattr(reading, "is_cached", lambda *place: False)
    if request.param == "no such way":
        monkeypatch.delattr(os, "O_DIRECT", raising=False)
    elif request.param == "refused at once":
        monkeypatch.setattr(os, "O_DIRECT", 1 << 62, raising=False)
        monkeypatch.setattr(os, "open", refusing(os.open))
    elif request.param == "refused later":
        monkeypatch.setattr(os, "preadv", refusing(None), raising=False)
    return request.param


def refusing(open_):
    def refuse(path, flags, *others):
        if open_ is None or flags & 1 << 62:
            raise OSError(errno.EINVAL, "no")
        return open_(path, flags, *others)

    return refuse


@settings(max_examples=60)
@given(offset=st.integers(0, SIZE // 8 - 1), nbytes=st.integers(0, SIZE), odd=st.integers(0, 7))
def test_any_part_of_a_file(tmp_path_factory, content, offset, nbytes, odd):
    path = str(tmp_path_factory.getbasetemp() / "any")
    if not os.path.exists(path):
        written(tmp_path_factory.getbasetemp() / "any", content)
    offset = 8 * offset + (odd if nbytes % 2 else 0)
    for direct in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "is_cached", lambda *place, known=not direct: known)
            found = read(path, offset, nbytes)
        np.testing.assert_array_equal(found, content[offset : offset + nbytes])


def test_every_way_gives_the_same(way, file, content):
    room = Room(5000)
    for offset in (0, 8, 4088, mmap.PAGESIZE, 7):
        found = read(file, offset, 5000, room)
        np.testing.assert_array_equal(found, content[offset : offset + 5000])
        assert np.shares_memory(found, room.bytes)


def test_it_is_shorter_where_the_file_is(way, file, content):
    for offset in (0, 8, SIZE - SIZE % 8):
        np.testing.assert_array_equal(read(file, offset, SIZE + 5000), content[offset:])
    assert not read(file, 2 * SIZE // 8 * 8, 5000).size
    os.truncate(file, mmap.PAGESIZE)
    assert read(file, 8, 5000).size == mmap.PAGESIZE - 8


def test_pieces_are_there_when_they_are_handed_out(way, file, content, monkeypatch):
    monkeypatch.setattr(reading, "PIECE", 5000)
    coming, done = Arriving(file, 8, SIZE, Room(SIZE)), 0
    coming.fetch()
    for piece in coming.pieces():
        np.testing.assert_array_equal(piece, content[8 + done : 8 + done + piece.size])
        assert np.shares_memory(piece, coming.content[done:])
        assert piece.size == min(5000, SIZE - 8 - done)  # whole values, whatever a read gives
        done += piece.size
    assert done == coming.content.size == SIZE - 8


def test_more_than_one_request(way, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "REQUEST", 2 * mmap.PAGESIZE)
    large = np.random.default_rng(1).integers(256, size=20 * mmap.PAGESIZE + 9, dtype=np.uint8)
    found = read(written(tmp_path / "large", large), 24, large.size - 24)
    np.testing.assert_array_equal(found, large[24:])


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="no such way")
def test_no_more_is_read_than_is_asked_for(file, content, monkeypatch):
    """However large the room: it may have been made for another slice."""
    asked, preadv = [], os.preadv

    def noted(number, buffers, *others):
        asked.append(sum(len(buffer) for buffer in buffers))
        return preadv(number, buffers, *others)

    monkeypatch.setattr(reading, "is_cached", lambda *place: False)
    monkeypatch.setattr(os, "preadv", noted)
    found = read(file, 16, 100, Room(1 << 20))
    np.testing.assert_array_equal(found, content[16:116])
    assert sum(asked) <= mmap.PAGESIZE


def test_what_cannot_be_read_is_said(way, tmp_path, file, monkeypatch):
    with pytest.raises(ms.FileFormatError, match=r"cannot read .*none"):
        read(str(tmp_path / "none"), 0, 10)
    if way == "past the cache":
        monkeypatch.setattr(os, "preadv", broken)
        with pytest.raises(ms.FileFormatError, match=r"cannot read .*: the disk is broken"):
            read(file, 0, 10)


def broken(*arguments):
    raise OSError(errno.EIO, "the disk is broken")


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="only Linux tells")
@pytest.mark.parametrize("direct", [True, False])
def test_the_cache_is_as_it_was(direct, file, monkeypatch):
    """But for the page of the last byte, which to ask about is to have fetched."""
    if not direct:
        monkeypatch.delattr(os, "O_DIRECT")
    read(file, 0, SIZE)
    left = is_cached(file, 0, mmap.PAGESIZE)
    drop(file, 0, SIZE)
    if is_cached(file, 0, mmap.PAGESIZE):
        pytest.skip("a file system that keeps what it has")
    assert not left
    with open(file, "rb") as again:
        again.read()
    read(file, 0, SIZE)
    assert is_cached(file, 0, mmap.PAGESIZE)


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTFORK"), reason="only Linux can")
def test_a_room_is_not_there_in_a_fork():
    """What the disk writes to is shared with nobody, or a write of ours would part with it."""
    with open("/proc/self/smaps") as maps:
        before = maps.read().count(" dc")
    room = Room(1 << 20)
    with open("/proc/self/smaps") as maps:
        assert maps.read().count(" dc") > before
    del room
