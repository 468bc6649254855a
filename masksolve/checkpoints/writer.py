"""The steps of a run in their order, each written and then put down in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from masksolve.checkpoints.journal import Journal
from masksolve.checkpoints.output import Line, ShardOutput
from masksolve.checkpoints.plan import Shard, Tensor
from masksolve.checkpoints.target import Target
from masksolve.checkpoints.work import Slice, Solved
from masksolve.errors import FileFormatError

__all__ = ["Step", "Writer", "all_steps"]


@dataclass(frozen=True, slots=True)
class Step:
    """A slice to solve and write, or a tensor to copy."""

    shard: Shard
    tensor: Tensor
    number: int
    last: bool

    @property
    def piece(self) -> Slice | None:
        """The slice, if it is one."""
        return self.tensor.slices[self.number] if self.tensor.slices else None

    @property
    def nbytes(self) -> int:
        """Bytes of the checkpoint that it takes."""
        return self.tensor.source.nbytes if self.piece is None else self.piece.nbytes


def all_steps(shards: Sequence[Shard]) -> list[Step]:
    """List the steps of a run."""
    return [
        Step(shard, tensor, k, k + 1 >= len(tensor.slices) and tensor is shard.tensors[-1])
        for shard in shards
        for tensor in shard.tensors
        for k in range(max(1, len(tensor.slices)))
    ]


class Writer:
    """Writes steps, beginning with the first that is not done.

    Attributes
    ----------
    done : int
        How many steps an earlier run has done.
    files : dict
        By the names of finished shards, what the manifest says of them.
    lines : list of dict
        What is known of every step that is done, in their order.
    """

    def __init__(self, target: Target, journal: Journal, steps: Sequence[Step]) -> None:
        self.files: dict[str, Any] = {}
        self.done = 0
        self.lines: list[Line] = []
        self._target = target
        self._journal = journal
        self._output: ShardOutput | None = None
        self._failed = False
        at_work = self._finished(journal.lines, steps)
        if self.done < len(steps) and at_work:
            shard = steps[self.done].shard
            mine = [(s.tensor, s.number) for s in steps[self.done :] if s.shard is shard]
            places = [([t.source.name, number], bool(t.slices)) for t, number in mine]
            if [(line["at"], "status" in line) for line in at_work] != places[: len(at_work)]:
                raise self._damaged()
            path, place = target.files / shard.name, target.place(shard.name)
            self._output, good = ShardOutput.resume(path, shard, place, mine, at_work)
            journal.keep(len(journal.lines) - len(at_work) + good)
            self.done += good
            self.lines += at_work[:good]
            if good == len(mine):
                self._finish()
        elif at_work:
            raise self._damaged()

    def _finished(self, lines: Sequence[Line], steps: Sequence[Step]) -> list[Line]:
        """Count the steps of finished shards; return the lines of the one at work."""
        at_work: list[Line] = []
        for line in lines:
            if "shard" not in line:
                at_work.append(line)
                continue
            self.done += len(at_work)
            self.lines += at_work
            last = steps[self.done - 1] if 0 < self.done <= len(steps) else None
            name = line["shard"]
            if last is None or not last.last or last.shard.name != name or not at_work:
                raise self._damaged()
            self.files[name] = line["entry"]
            at_work = []
        self._target.check_whole(self.files, read=True)
        return at_work

    def _damaged(self) -> FileFormatError:
        return FileFormatError(f"{self._journal.path} is damaged: remove {self._target.work}")

    def write(self, step: Step, solved: Solved | None) -> None:
        """Write a step, and finish its file if it is the last.

        After a step that failed no other is written: the journal would have a gap.
        """
        try:
            if not self._failed:
                self._failed = True
                self._write(step, solved)
                self._failed = False
        finally:
            if solved is not None and solved.release is not None:
                solved.release()

    def _write(self, step: Step, solved: Solved | None) -> None:
        if self._output is None:
            name = step.shard.name
            path, place = self._target.files / name, self._target.place(name)
            self._output = ShardOutput(path, step.shard, place)
        line = self._output.put(step.tensor, step.number, solved)
        self._journal.append(line)
        self.lines.append(line)
        if step.last:
            self._finish()

    def _finish(self) -> None:
        output = self._output
        assert output is not None
        entry = {"bytes": output.shard.nbytes, "header": output.finish(), "tensors": output.hashes}
        self.files[output.shard.name] = entry
        self._journal.append({"shard": output.shard.name, "entry": entry}, durable=True)
        self._output = None

    def close(self) -> None:
        """Stop, wherever it is."""
        if self._output is not None:
            self._output.close()
