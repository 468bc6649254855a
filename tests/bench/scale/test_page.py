"""The measured part of the guide to large models is what its figures say."""

import copy
import json
from pathlib import Path

import pytest

from masksolve.bench.scale.page import BEGIN, END, FIGURES, PAGE, fill, measured

ROOT = Path(__file__).parents[3]
SHARES = {"share": 0.8, "shares": [0.7, 0.8, 0.85], "share_of_both": 0.9, "shares_of_both": [0.9]}
RUN = SHARES | {"what": "masks", "seconds": 21.0, "rate": 4e8, "peak_memory": 8.1e8}
WORKER = {"seconds": 40.0, "rate": 2e8, "identical": True, "times": 1.0, "pattern": "4:8"}
FIGURES_OF = {
    "machine": {"cores": 2, "cpu": "a processor", "commit": "0123456789"},
    "options": {"pattern": "4:8", "memory": "1GB"},
    "bytes": 6e9,
    "rates": {"engine": 5e8, "read": 3e9, "copy": 4e8},
    "runs": [RUN, RUN | {"what": "masked weights", "rate": 2e8}],
    "kills": [
        {"what": what, "killed_after": [1.0, 2.0, 3.0], "identical": what == "masks"}
        for what in ("masks", "masked weights")
    ],
    "workers": [
        WORKER | {"what": "one worker"},
        WORKER | {"what": "two workers", "rate": 3.6e8, "times": 1.8},
    ],
}


def cells(text, first):
    rows = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    assert len(rows) == 1, text
    return [cell.strip() for cell in rows[0].strip("|").split("|")][1:]


def test_arithmetic():
    text = measured(FIGURES_OF)
    # 8e9 weights: 16 GB, / 64 tiles, / 8 bytes of masks, / 4e8 and 2e8 B/s, / 16 machines
    assert cells(text, "8 billion") == ["16 GB", "0.125 billion", "1 GB", "40 s", "80 s", "2 s"]
    largest = ["810 GB", "6.33 billion", "50.6 GB", "34 min", "68 min", "2 min"]
    assert cells(text, "405 billion") == largest


def test_what_was_measured():
    text = measured(FIGURES_OF)
    shares = ["80% (70% to 85%)", "90% (90% to 90%)"]
    assert cells(text, "masks") == ["21.0", "400 MB/s", *shares, "810 MB", "3", "identical"]
    assert cells(text, "masked weights")[-1] == "different"
    assert cells(text, "two workers") == ["4:8", "40.0", "360 MB/s", "1.80", "identical"]
    alone = copy.deepcopy(FIGURES_OF)
    del alone["workers"]
    assert "two workers" not in measured(alone)


def test_the_page_is_written_between_its_marks():
    page = f"before\n{BEGIN}stale\n{END}after\n"
    once = fill(page, FIGURES_OF)
    assert once.startswith(f"before\n{BEGIN}\nA checkpoint of 6 GB")
    assert once.endswith(f"\n{END}after\n")
    assert "stale" not in once
    assert fill(once, FIGURES_OF) == once
    with pytest.raises(ValueError, match="no marks"):
        fill("nothing", FIGURES_OF)


def test_the_guide_says_what_the_figures_beside_it_say():
    page = (ROOT / PAGE).read_text()
    if (ROOT / FIGURES).exists():
        assert fill(page, json.loads((ROOT / FIGURES).read_text())) == page
    else:
        assert page.endswith(BEGIN + END)
