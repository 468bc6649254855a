"""When masks are renewed, and how tight they are by then."""

from __future__ import annotations

from dataclasses import dataclass

from masksolve.pattern import Pattern

__all__ = ["Schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Dense for `warmup` steps, then n falls from m - 1 to its end within `ramp` steps.

    Masks are renewed every `refresh_every` steps, and whenever n falls.

    Examples
    --------
    >>> from masksolve import Pattern
    >>> schedule = Schedule(refresh_every=10, warmup=100, ramp=200)
    >>> [str(schedule.pattern(Pattern(2, 4), step)) for step in (0, 100, 199, 200, 300)]
    ['4:4', '3:4', '3:4', '2:4', '2:4']
    """

    refresh_every: int = 1
    warmup: int = 0
    ramp: int = 0

    def pattern(self, final: Pattern, step: int) -> Pattern:
        """Return the pattern of a layer after so many steps."""
        levels = final.m - final.n
        if step < self.warmup:
            n = final.m
        elif step < self.warmup + self.ramp and levels > 0:
            n = final.m - 1 - levels * (step - self.warmup) // self.ramp
            n = max(n, final.n)
        else:
            n = final.n
        if n == final.n:
            return final
        return Pattern(n, final.m, transposable=final.transposable, at_most=final.at_most)

    def due(self, final: Pattern, step: int) -> bool:
        """Tell whether a layer's mask is to be renewed after so many steps."""
        now = self.pattern(final, step)
        if now.n == final.m:
            return False
        return step % self.refresh_every == 0 or now != self.pattern(final, step - 1)
