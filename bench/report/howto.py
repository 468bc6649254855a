"""How to add a solver, and how to make, compare and report results."""

from __future__ import annotations

from ..pages.page import Page

__all__ = ["add_howto"]

SOLVER = '''
import numpy as np
from masksolve.bench import contestant


@contestant(name="my solver", reference="a first try")
def my_solver(scores, n):
    """scores: float32 of shape (t, m, m); returns masks, bool, of the same shape."""
    m = scores.shape[-1]
    diagonals = (np.arange(m)[:, None] + np.arange(m)) % m < n
    return np.broadcast_to(diagonals, scores.shape)
'''

COMMANDS = """
masksolve bench --solver my_solver.py             # some minutes
masksolve bench --size full --solver my_solver.py # everything above; hours
masksolve bench report RESULTS.json --out DIR     # this page, from any results
masksolve bench compare A.json B.json             # what changed between two
"""


def add_howto(page: Page) -> None:
    """Show both."""
    page.heading(2, "Add your own solver")
    page.say("These lines in a file `my_solver.py` are a contestant:")
    page.code("python", SOLVER)
    page.say(
        "It then stands in every table and picture of this page. What it needs besides NumPy "
        "it should import inside the function; the scores it must leave as they are. `needs`, "
        "`exact`, `takes`, `fits` and `quirks` are the decorator's other arguments. It runs "
        "in a process of its own: if it is too slow, dies or breaks a line, the page says so."
    )
    page.code("sh", COMMANDS)
