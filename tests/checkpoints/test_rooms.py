"""Memory for weights: no more than allowed, the same again, nobody waits for ever."""

import threading

import pytest

from masksolve.checkpoints.rooms import Closed, Rooms


def taken(rooms, nbytes):
    """Take a room in a thread; a list that holds it when it is there."""
    found = []

    def take():
        try:
            found.append(rooms.take(nbytes))
        except Closed as closed:
            found.append(closed)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(0.2)
    return found, thread


def test_one_room_may_always_be_had():
    assert Rooms(0).take(1000).bytes.size >= 1000


def test_others_wait_for_room():
    rooms = Rooms(150)
    first, second = rooms.take(1000), rooms.take(100)
    found, thread = taken(rooms, 100)
    assert not found
    rooms.give(first)  # the second is the oldest now, and does not count
    thread.join(5)
    assert found
    rooms.give(second)
    rooms.give(found[0])


def test_memory_is_used_again():
    rooms = Rooms(0)
    room = rooms.take(1000)
    rooms.give(room)
    assert rooms.take(10) is room
    rooms.give(room)
    larger = rooms.take(2000)
    assert larger is not room
    rooms.give(larger)
    assert rooms.take(1000) is larger


def test_who_waits_is_told_when_it_is_closed():
    rooms = Rooms(0)
    rooms.take(10)
    found, thread = taken(rooms, 10)
    assert not found
    rooms.close()
    thread.join(5)
    assert isinstance(found[0], Closed)
    with pytest.raises(Closed):
        rooms.take(10)


def test_a_room_begins_with_a_page():
    assert Rooms(0).take(100).bytes.ctypes.data % 4096 == 0
