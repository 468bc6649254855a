"""Options that give the work to a Dask cluster."""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from masksolve.checkpoints.runners import Runner
from masksolve.cli.common import positive
from masksolve.errors import InvalidInput

__all__ = ["cluster_options", "runner_for"]


def cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add --workers and --scheduler."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="solve in N processes on this machine, by Dask",
    )
    either.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="solve on the workers of a Dask scheduler, such as tcp://10.0.0.1:8786, who must "
        "see the input under the same path",
    )


@contextmanager
def runner_for(options: argparse.Namespace) -> Iterator[Runner | None]:
    """Give what the options ask for, None for this process; close it with the block."""
    if options.workers is None and options.scheduler is None:
        yield None
        return
    try:
        from masksolve.dask import connect, local_cluster
    except ImportError:
        asked = "--workers" if options.scheduler is None else "--scheduler"
        raise InvalidInput(f"{asked} needs Dask: pip install 'masksolve[dask]'") from None
    with _silence():
        if options.scheduler is None:
            with local_cluster(options.workers, options.threads) as runner:
                yield runner
        else:
            with connect(options.scheduler) as runner:
                yield runner


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what a cluster logs off the terminal: what matters comes as an error."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            for module in ("dask", "distributed", "tornado"):
                warnings.filterwarnings("ignore", module=module)
            yield
    finally:
        logging.disable(level)
