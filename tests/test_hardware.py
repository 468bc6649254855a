"""The records of what runs, against every mask that a pattern allows."""

import re
from itertools import product
from math import lcm

import pytest

import masksolve as ms
from masksolve.hardware import CHECKED, HARDWARE, Hardware, obeys, runs_on, today


def lines(n, m, length):
    """Write down every line of that length that holds at most n of every m."""
    return [
        line
        for line in product((0, 1), repeat=length)
        if all(sum(line[k : k + m]) <= n for k in range(0, length, m))
    ]


def taken(line, device):
    """Tell whether a device takes a line, unit by unit."""
    units = [any(line[k : k + device.unit]) for k in range(0, len(line), device.unit)]
    n, m = device.n // device.unit, device.m // device.unit
    return all(sum(units[k : k + m]) <= n for k in range(0, len(units), m))


DEVICES = {(device.n, device.m, device.unit): device for device in HARDWARE}


@pytest.mark.parametrize("device", DEVICES.values(), ids=str)
@pytest.mark.parametrize("m", range(1, 7))
def test_a_pattern_obeys_if_all_of_its_lines_do(device, m):
    length = min(lcm(m, device.m), 12)  # enough to hold every alignment of 5 in 8
    for n in range(1, m + 1):
        every = all(taken(line, device) for line in lines(n, m, length))
        # Pairs are bounded from above: a pattern may obey without our saying so.
        claimed = obeys(ms.Pattern(n, m), device)
        assert claimed <= every
        if device.unit == 1:
            assert claimed == every


RUNS = {
    "NVIDIA, AMD, Huawei": ["2:4", "2:4,plain", "2:4,at-most"],
    "NVIDIA": ["1:2"],
    "as 2:4: NVIDIA, AMD, Huawei": ["1:4", "2:8"],
    "none found": ["3:4", "4:8", "8:16", "16:32", "4:4"],  # pair-wise 4:8 is not 4:8
}


@pytest.mark.parametrize(("pattern", "text"), [(p, text) for text in RUNS for p in RUNS[text]])
def test_what_runs_today(pattern, text):
    assert today(pattern) == text
    assert (runs_on(pattern) == ()) == (text == "none found")


def test_the_device_made_for_a_pattern_comes_first():
    assert (runs_on("1:2")[0].n, runs_on("1:2")[0].m) == (1, 2)


@pytest.mark.parametrize("device", HARDWARE, ids=str)
def test_every_record_has_its_source(device):
    assert isinstance(device, Hardware)
    assert device.sources
    assert all(re.fullmatch(r"https://[^ ]+", source) for source in device.sources)
    assert all(value for value in device.to_dict().values())
    assert device.m % device.unit == device.n % device.unit == 0


def test_the_records_are_dated():
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", CHECKED)
