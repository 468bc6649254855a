"""A block's run on one batch, brought from stage to stage.

Where memory allows it, a run waits at a stage until the stage is fitted, and goes on from there:
each in a thread of its own, one of which runs at a time. Else it begins anew for each stage, and
nothing but hidden states is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from masksolve.torch.pruning.following import Following, Meeting

__all__ = ["Again", "Run", "Waiting"]

Make = Callable[[Callable[[Meeting], None]], Following]
"""Makes what follows a run, given who is to be met."""


class Run(Protocol):
    """A run that can be brought to its stages in order."""

    def reach(self, stage: int) -> Meeting | None:
        """Go on to a stage; None if the run does not come by it."""
        ...

    def finish(self) -> Tensor:
        """Go on to the end; return the hidden states."""
        ...

    def close(self) -> None:
        """Give up."""
        ...


class _Reached(BaseException):
    """The stage that was asked for: nothing that a module might catch."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting


class _Ended(BaseException):
    """Nobody waits any more."""


class Again:
    """A run that begins anew for each stage.

    Parameters
    ----------
    run : callable
        Runs the block and returns hidden states.
    follow : callable
    """

    def __init__(self, run: Callable[[], Tensor], follow: Make) -> None:
        self._run = run
        self._follow = follow

    def reach(self, stage: int) -> Meeting | None:
        """See `Run`."""

        def meet(meeting: Meeting) -> None:
            if meeting.stage == stage:
                raise _Reached(meeting)

        try:
            self._go(meet)
        except _Reached as reached:
            return reached.meeting
        return None

    def collect(self, stage: int, take: Callable[[Meeting], None]) -> None:
        """Run to the end, and hand out whatever is met of a stage."""

        def meet(meeting: Meeting) -> None:
            if meeting.stage == stage:
                take(meeting)

        self._go(meet)

    def finish(self) -> Tensor:
        """See `Run`."""
        return self._go(lambda meeting: None)

    def close(self) -> None:
        """See `Run`: nothing is open."""

    def _go(self, meet: Callable[[Meeting], None]) -> Tensor:
        with torch.no_grad(), self._follow(meet):
            return self._run()


class Waiting:
    """A run that waits where a stage is met.

    Parameters
    ----------
    run : callable
        Runs the block and returns hidden states.
    follow : callable
    """

    def __init__(self, run: Callable[[], Tensor], follow: Make) -> None:
        self._ours, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._meeting: Meeting | None = None
        self._result: Tensor | None = None
        self._failure: BaseException | None = None
        self._over = self._closed = False
        self._thread = threading.Thread(target=self._work, args=(run, follow), daemon=True)
        self._started = False

    def reach(self, stage: int) -> Meeting | None:
        """See `Run`."""
        while not self._over and (self._meeting is None or self._meeting.stage < stage):
            self._go_on()
        met = self._meeting
        return met if met is not None and met.stage == stage else None

    def finish(self) -> Tensor:
        """See `Run`."""
        while not self._over:
            self._go_on()
        assert self._result is not None
        return self._result

    def close(self) -> None:
        """See `Run`."""
        self._closed = True
        if self._started and not self._over:
            self._theirs.release()
            self._thread.join()

    def _go_on(self) -> None:
        self._meeting = None
        if self._started:
            self._theirs.release()
        else:
            self._started = True
            self._thread.start()
        self._ours.acquire()
        if self._failure is not None:
            raise self._failure

    def _work(self, run: Callable[[], Tensor], follow: Make) -> None:
        try:
            with torch.no_grad(), follow(self._meet):
                self._result = run()
        except _Ended:
            pass
        except BaseException as error:  # it is raised where the run is waited for
            self._failure = error
        finally:
            self._over = True
            self._ours.release()

    def _meet(self, meeting: Meeting) -> None:
        self._meeting = meeting
        self._ours.release()
        self._theirs.acquire()
        if self._closed:
            raise _Ended
