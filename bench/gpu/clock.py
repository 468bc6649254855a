"""Times on a device: by its own events, or, without one, by the wall clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

__all__ = ["Clock", "medians"]


class Clock:
    """Marks of time on a device's current stream.

    Parameters
    ----------
    device : torch.device
        CUDA: events, read when the device has come to the last one. Else: the wall clock.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._device = device
        self._events: list[torch.cuda.Event] = []
        self._marks: list[float] = []

    def mark(self) -> None:
        """Mark the present point of the stream."""
        if not self._cuda:
            self._marks.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._events.append(event)

    def intervals(self) -> list[float]:
        """Wait for the last mark; return the seconds between marks, and forget them."""
        if self._cuda:
            self._events[-1].synchronize()
            between = zip(self._events, self._events[1:], strict=False)
            found = [first.elapsed_time(second) / 1e3 for first, second in between]
        else:
            found = [b - a for a, b in zip(self._marks, self._marks[1:], strict=False)]
        self._events, self._marks = [], []
        return found


def medians(
    calls: Mapping[str, Callable[[], object]], device: torch.device, rounds: int, warm_up: int = 3
) -> dict[str, float]:
    """Time several calls in turn; return the median seconds of each.

    Parameters
    ----------
    calls : mapping of str to callable
    device : torch.device
    rounds : int
        Calls of each that count.
    warm_up : int
        Calls of each before that.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(warm_up + rounds):
        for name, call in calls.items():
            clock = Clock(device)
            clock.mark()
            call()
            clock.mark()
            (taken,) = clock.intervals()
            if k >= warm_up:
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}
