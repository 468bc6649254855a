"""A file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from masksolve.errors import naming

__all__ = ["whole_file"]


def _reserve(file: IO[bytes], size: int) -> None:
    if not (size and hasattr(os, "posix_fallocate")):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not every system can
            raise


@contextmanager
def whole_file(path: Path, size: int) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its place only when the block succeeds.

    Until then it is a hidden file beside it, which goes away on any failure (only a
    SIGKILL or a power cut leaves it behind, never a half-written `path`).

    Parameters
    ----------
    path : Path
        Where it is to appear; a file that is there is replaced at that moment.
    size : int
        Its length in bytes, reserved first so that a full disk shows at once.

    Raises
    ------
    FileFormatError
        If it cannot be created, or the disk fills up.
    """
    with naming(path, "write"):
        with suppress(FileNotFoundError):
            path.lstat()  # a name that is too long should not show at the end only
        umask = os.umask(0)
        os.umask(umask)
        with tempfile.NamedTemporaryFile(
            prefix=".masksolve-", suffix=".partial", dir=path.parent, delete=False
        ) as file:
            try:
                _reserve(file, size)
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o666 & ~umask)
                os.replace(file.name, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
