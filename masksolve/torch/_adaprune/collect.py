"""What a group of weights multiplies, in the dense network and in the one pruned so far."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.torch._adaprune.calibration import Calibration, Seen
from masksolve.torch._adaprune.chain import Blank, Chain, Kept
from masksolve.torch._adaprune.groups import Feed, Group, Weight
from masksolve.torch._adaprune.samples import Samples
from masksolve.torch._adaprune.settings import Settings
from masksolve.torch._adaprune.sources import Call
from masksolve.torch.fitting import Moments

__all__ = ["Collected", "Gathered", "Passes"]

Take: TypeAlias = Callable[[Feed, Tensor], None]


class Gathered:
    """What came of a feed's rows.

    Attributes
    ----------
    moments : Moments
    samples : Samples or None
    """

    def __init__(self, feed: Feed, *, samples: bool) -> None:
        self.moments = Moments()
        self.samples = Samples(feed) if samples else None
        self._feed = feed

    def add(self, pruned: Tensor, dense: Tensor, positions: Tensor | None) -> None:
        """Add the input of a call, in both networks."""
        rows = _rows(self._feed, pruned, positions)
        before = rows if dense is pruned else _rows(self._feed, dense, positions)
        if rows.shape[1] == 0:
            return
        self.moments.add(rows, before)
        if self.samples is not None:
            self.samples.add(pruned, dense, positions)


Collected: TypeAlias = dict[Feed, Gathered]


class Passes:
    """Sends batches through a network, from where it need not run again.

    Parameters
    ----------
    calibration : Calibration
    chain : list of Link
    settings : Settings
    """

    def __init__(self, calibration: Calibration, chain: Chain, settings: Settings) -> None:
        self.calibration = calibration
        self.settings = settings
        self._start(chain)

    def _start(self, chain: Chain) -> None:
        """Forget all that was kept."""
        numbers = range(len(self.calibration.batches))
        self._chain = chain
        self._dense = [Kept(chain) for _ in numbers]
        self._pruned = [Kept(chain) for _ in numbers]

    def collect(self, groups: Sequence[Group], changed: Sequence[Weight]) -> Collected:
        """Gather what groups' weights multiply.

        Parameters
        ----------
        groups : sequence of Group
        changed : sequence of Weight
            That are not as they were in the dense network.

        Raises
        ------
        InvalidInput
            If inputs are not finite, or the model takes other ways when it is pruned.
        """
        place = min(group.behind for group in groups)
        if place < self._dense[0].place:
            self._start(self._chain)  # it is about links that have run already
        try:
            return self._collect(groups, changed, place)
        except Blank:
            pass
        except InvalidInput:
            if not self._dense[0].place:
                raise
        # Not what blocks gave last is all that goes on: so they run, from now on.
        self._start([])
        return self._collect(groups, changed, 0)

    def _collect(self, groups: Sequence[Group], changed: Sequence[Weight], place: int) -> Collected:
        found = {
            feed: Gathered(feed, samples=self.settings.optimizer == "adam")
            for group in groups
            for feed in group.feeds
        }
        # Two passes a batch: one that tells what there was, one that tells what there is.
        two = bool(changed) and self.settings.mode == "sequential"
        for number in range(len(self.calibration.batches)):
            calls = _Calls(number, self.calibration.positions(number), found)
            with _as_before(changed):
                self._send(number, groups, calls.keep if two else calls.take, place, self._dense)
            if two:
                self._send(number, groups, calls.compare, place, self._pruned)
                calls.finish()
            else:
                self._pruned[number] = self._dense[number].copy()
        for feed, gathered in found.items():
            if gathered.moments.rows == 0:
                raise InvalidInput(f"{feed.name}: no position of any batch counts for it")
        return found

    def _send(
        self, number: int, groups: Sequence[Group], take: Take, place: int, kept: Sequence[Kept]
    ) -> None:
        """Send a batch through as far as need be, and hand over the feeds' inputs."""
        waiting = set(groups)
        callers: dict[nn.Module, list[Group]] = {}
        for group in groups:
            callers.setdefault(group.caller, []).append(group)

        def watch(here: Sequence[Group]) -> Seen:
            def see(call: Call) -> bool:
                for group in here:
                    for feed in group.feeds:
                        take(feed, feed.pick(call).detach())
                    if group.once:
                        waiting.discard(group)
                return not waiting

            return see

        own = kept[number]
        watchers = {caller: watch(here) for caller, here in callers.items()}
        self.calibration.run(number, watchers, own.after(place), own.instead)
        own.advance(place)


@dataclass(slots=True)
class _Calls:
    """What feeds are called with in one batch."""

    number: int
    positions: Tensor | None
    found: Collected
    held: dict[Feed, deque[Tensor]] = field(default_factory=lambda: defaultdict(deque))

    def keep(self, feed: Feed, x: Tensor) -> None:
        """Note an input of the dense network; what comes after may write over it."""
        self.held[feed].append(x.clone())

    def compare(self, feed: Feed, x: Tensor) -> None:
        """Gather an input of the pruned network, beside the dense one's."""
        if not self.held[feed]:
            raise self._other_ways(feed)
        self.take(feed, x, self.held[feed].popleft())

    def take(self, feed: Feed, x: Tensor, dense: Tensor | None = None) -> None:
        """Gather an input."""
        gathered = self.found[feed]
        gathered.add(x, x if dense is None else dense, self.positions)
        if gathered.moments.rows and not gathered.moments.finite:
            raise InvalidInput(f"{feed.name}: its inputs are not all finite in batch {self.number}")

    def finish(self) -> None:
        """Refuse what the pruned network left out."""
        for feed, left in self.held.items():
            if left:
                raise self._other_ways(feed)

    def _other_ways(self, feed: Feed) -> InvalidInput:
        return InvalidInput(
            f"{feed.name} is not called as often in the pruned network as in the dense one for "
            f'batch {self.number}, and they cannot be compared: use mode="parallel"'
        )


def _rows(feed: Feed, x: Tensor, positions: Tensor | None) -> Tensor:
    """Return the rows that count, in at least single precision."""
    if positions is not None and feed.has(positions, x):
        x = x[positions.to(x.device)]
    return feed.wide_rows(x)


@contextmanager
def _as_before(changed: Sequence[Weight]) -> Iterator[None]:
    """Put the dense weights and biases in place, weights without copying them."""
    dense = {weight.parameter: weight.dense for weight in changed}
    for weight in changed:
        if weight.bias is not None:
            # Several weights may have parts of one parameter as their biases.
            held = weight.bias.parameter
            dense.setdefault(held, held.detach().clone())
            weight.bias.view(dense[held]).copy_(weight.biases)
    held = {parameter: parameter.data for parameter in dense}
    try:
        for parameter, data in dense.items():
            parameter.data = data
        yield
    finally:
        for parameter, data in held.items():
            parameter.data = data
