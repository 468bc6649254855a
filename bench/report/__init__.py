"""From results to a page: tables, pictures, and plain words under each.

Every number and every sentence comes from the results, so that the page stays true when
they change.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..pages.page import Page
from ..pages.style import LINES, styled
from ..published import PUBLISHED, Published
from ..results import Results
from .agreement import add_agreement
from .facts import Facts
from .glance import add_glance
from .howto import add_howto
from .people import add_people, add_setting
from .speed import add_speed
from .training import add_published, add_training
from .worth import add_quality

__all__ = ["write_report"]


def write_report(
    results: Results, folder: Path, published: Sequence[Published] = PUBLISHED
) -> list[Path]:
    """Write ``index.md`` and its pictures.

    Parameters
    ----------
    results : Results
        Of any size: what is not there is said not to be.
    folder : Path
        Made if need be.
    published : sequence of Published
        Figures of papers, to stand beside.

    Returns
    -------
    list of Path
        The page, then the pictures.
    """
    page, facts = Page(folder / "index.md", palette=LINES), Facts(results)
    page.heading(1, "Benchmarks")
    page.say(
        "How the methods of masksolve compare with others, in time, memory and quality. "
        "`masksolve bench report` writes this page from one file of results: every figure and "
        "every sentence comes from there."
    )
    with styled():
        add_glance(page, facts)
        add_people(page, facts)
        add_setting(page, facts)
        add_speed(page, facts, published)
        add_quality(page, facts)
        add_agreement(page, facts)
        add_training(page, facts, published)
        add_published(page, published)
        add_howto(page)
        return page.write()
