"""Options: what is refused, and in which words."""

from math import inf, nan

import numpy as np
import pytest

import masksolve as ms

W = np.ones((4, 4))


WHOLE, NUMBER = "must be a whole number", "must be a number"
TAKES = "it takes sharpness, doublings, rounds, tolerance"


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("greedy", {"tries": 3}, "method 'greedy' has no option 'tries': it takes none"),
        ("entropic", {"tau": 3}, f"method 'entropic' has no option 'tau': {TAKES}"),
        ("best_random", {1: 3}, "method 'best_random' has no option 1: it takes tries, seed"),
        ("best_random", {"tries": 0}, f"option 'tries' {WHOLE} from 1 to 20000, got 0"),
        ("best_random", {"tries": 2.5}, f"{WHOLE} from 1 to 20000, got 2.5"),
        ("best_random", {"tries": "2"}, f"{WHOLE} from 1 to 20000, got '2'"),
        ("best_random", {"seed": True}, f"option 'seed' {WHOLE} .* got True"),
        ("entropic", {"rounds": inf}, f"option 'rounds' {WHOLE}"),
        ("entropic", {"sharpness": nan}, f"option 'sharpness' {NUMBER} from 1 to 300, got nan"),
        ("entropic", {"tolerance": -1e-9}, f"option 'tolerance' {NUMBER} from 0 to 1"),
        ("entropic", {"tolerance": None}, "got None"),
        ("entropic", {"tolerance": np.ones(2)}, f"option 'tolerance' {NUMBER}"),
        ("entropic", [("rounds", 3)], "options must be a mapping .* numbers, got list"),
    ],
)
def test_bad_options_are_refused(method, options, words):
    with pytest.raises(ms.InvalidInput, match=words):
        ms.solve(W, "2:4", method=method, options=options)


@pytest.mark.parametrize("value", [7, 7.0, np.int64(7), np.float32(7)])
def test_whole_numbers_of_any_type_are_taken(value):
    one, other = (
        ms.solve(W, "2:4", method="best_random", options={"tries": v}) for v in (value, 7)
    )
    np.testing.assert_array_equal(one.mask, other.mask)


def test_no_options_at_all_are_fine():
    for options in (None, {}):
        ms.solve(W, "2:4", options=options)


def test_a_table_of_methods_has_them():
    assert ms.METHODS["greedy"].summary()["options"] == {}
    tries = ms.METHODS["best_random"].summary()["options"]["tries"]
    assert (tries["default"], tries["least"], tries["most"]) == (1000, 1, 20_000)
    assert tries["meaning"]
