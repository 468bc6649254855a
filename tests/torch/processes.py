"""Two processes that wait for work, connected by gloo through a file."""

import multiprocessing
import os
import pickle
import sys
import traceback
import warnings
from datetime import timedelta

PATIENCE = 300
"""Seconds for one piece of work, on a machine that is busy with other things."""


class Processes:
    """Run functions of (rank, world, ...) in several processes at once."""

    def __init__(self, directory, world=2):
        self.directory, self.world = directory, world
        self.meetings = 0
        self.connections, self.members = [], []

    def __call__(self, function, *args):
        """Return what the function returned, by rank."""
        if not self.members:
            self._start()
        for connection in self.connections:
            connection.send((function, args))
        outcomes = [self._receive(connection) for connection in self.connections]
        failed = [what for done, what in outcomes if not done]
        if failed:
            self.close()  # whoever is left may wait for one that is not
            raise AssertionError("\n".join(failed))
        return [what for _, what in outcomes]

    def close(self):
        for member in self.members:
            member.terminate()
        for member in self.members:
            member.join()
        self.connections, self.members = [], []

    def _start(self):
        context = multiprocessing.get_context("spawn")
        meeting = self.directory / f"meeting{self.meetings}"
        self.meetings += 1
        for rank in range(self.world):
            ours, theirs = context.Pipe()
            member = context.Process(
                target=_work, args=(theirs, meeting.as_uri(), rank, self.world), daemon=True
            )
            member.start()
            theirs.close()
            self.members.append(member)
            self.connections.append(ours)

    def _receive(self, connection):
        if not connection.poll(PATIENCE):
            return False, f"no answer within {PATIENCE} s"
        try:
            return pickle.loads(connection.recv_bytes())
        except EOFError:
            return False, "a process died"


def _work(connection, meeting, rank, world):
    warnings.simplefilter("error")
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # whatever the host's name is
    import torch

    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", meeting, timedelta(seconds=PATIENCE), world_size=world, rank=rank
    )
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        try:
            answer = True, function(rank, world, *args)
        except BaseException:
            answer = False, f"rank {rank}:\n{traceback.format_exc()}"
        # By value: torch would send handles to memory that is gone by then.
        connection.send_bytes(pickle.dumps(answer))
