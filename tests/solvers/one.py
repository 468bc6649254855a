"""One method as the checks of `tests.properties` take a solver."""

import masksolve as ms


def solver(method):
    """Solve by a method: scores of any sign, one thread, options by name."""

    def solve(scores, pattern, start=None, **options):
        given = {"score": None, "threads": 1, "options": options, "warm_start": start}
        return ms.solve(scores, pattern, method=method, **given)

    return solve
