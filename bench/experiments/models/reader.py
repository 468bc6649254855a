"""Findings that can be asked: which ways agree where, and why not elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .explained import explain
from .findings import Difference, Findings, Outcome, Run

__all__ = ["QUESTIONS", "UNEXPLAINED", "Reader"]

QUESTIONS = {
    "same": "the same weights",
    "loads": "loaded again",
    "obeys": "pattern obeyed in memory",
}
UNEXPLAINED = "not explained"
OTHER = {"module": "file", "file": "module"}


class Reader:
    """Looks things up in findings.

    Attributes
    ----------
    found : mapping
    patterns : list of str
    compared, unmade : list of Run
        Types that were compared, and those that were not.
    """

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.patterns: list[str] = found["settings"]["patterns"]
        self.compared = [run for run in found["runs"] if not run["why"]]
        self.unmade = [run for run in found["runs"] if run["why"]]

    def yes(self, question: str, pattern: str) -> int:
        """Count the types with a yes."""
        return sum(bool(run["outcomes"][pattern][question]) for run in self.compared)  # type: ignore[literal-required]

    def why_not(self, run: Run, pattern: str, question: str) -> list[str]:
        """Return the sentences that explain a no, `UNEXPLAINED` among them where one is missing."""
        outcome = run["outcomes"][pattern]
        if outcome[question]:  # type: ignore[literal-required]
            return []
        return list(dict.fromkeys(_sentences(run["model_type"], outcome, question)))

    def sentences(self) -> dict[str, list[str]]:
        """Return every sentence that explains a no, the most frequent first, and its types."""
        types: dict[str, dict[str, None]] = {}
        for run in self.compared:
            for pattern in self.patterns:
                for question in QUESTIONS:
                    for sentence in self.why_not(run, pattern, question):
                        types.setdefault(sentence, {})[run["model_type"]] = None
        order = sorted(types, key=lambda sentence: (-len(types[sentence]), sentence))
        return {sentence: list(types[sentence]) for sentence in order}

    def unexplained(self) -> list[str]:
        """Return the types with a no that nothing explains."""
        return self.sentences().get(UNEXPLAINED, [])

    def left_out(self, pattern: str) -> Counter[str]:
        """Count the matrices that get no masks by the module way, by reason."""
        found: Counter[str] = Counter()
        for run in self.compared:
            found.update(run["outcomes"][pattern]["skipped"])
        return found


def _sentences(model_type: str, outcome: Outcome, question: str) -> Iterator[str]:
    if question == "same":
        for one in outcome["differences"]:
            yield explain("same", model_type, one["name"], one["module"]) or _said(one)
    elif question == "obeys":
        for held in outcome["broken"]:
            yield explain("obeys", model_type, held["name"], held["module"]) or UNEXPLAINED
    else:
        yield explain("loads", model_type) or UNEXPLAINED


def _said(difference: Difference) -> str:
    """Make a sentence of what the way says that did not choose a weight."""
    why, chosen_by = difference["why"], difference["chosen_by"]
    if not why or chosen_by not in OTHER:
        return UNEXPLAINED
    return f"Passed over by the {OTHER[chosen_by]} way alone: {why}."
