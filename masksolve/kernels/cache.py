"""Compiled kernels on disk: sealed against damage, and done without where there is no place.

numba would load a file with a flipped byte, and run what it says; and it raises what the
system says of a full disk in the middle of a solve. A kernel can always be compiled instead.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config
from numba.core.caching import (
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from xxhash import xxh3_64_hexdigest, xxh3_128, xxh3_128_digest

from masksolve.compiling import begin_compiling

__all__ = ["cache_of"]

DIGEST = 16
"""Bytes of a digest; a file ends with two."""


class _Damaged(Exception):
    """A file is not what was written."""


class _SealedFiles(IndexDataCacheFile):
    """One file for a kernel, its types and the machine: code, what it is of, and a digest.

    There is no index, as numba has it: processes that write one at the same time would lose
    entries, or take code for other types than it is of. A file has another name than numba's
    files, which are left alone, and one of an earlier version of the source is written over.
    """

    def __init__(self, cache_path: str, filename_base: str, source_stamp: Any) -> None:
        super().__init__(cache_path, filename_base, source_stamp)
        self._base = filename_base

    def save(self, key: Any, data: Any) -> None:
        """Write code to its file, which is there in whole or not at all."""
        content = self._dump(data) + self._identity(key)
        with self._open_for_write(self._path(key)) as file:
            file.write(content + xxh3_128_digest(content))

    def load(self, key: Any) -> Any:
        """Read code from its file; None where it has none, or one of another source."""
        path = self._path(key)
        try:
            sealed = Path(path).read_bytes()
        except FileNotFoundError:
            return None
        content, seal = sealed[:-DIGEST], sealed[-DIGEST:]
        if xxh3_128_digest(content) != seal:
            raise _Damaged(f"{os.path.basename(path)} is not what was written")
        if content[-DIGEST:] != self._identity(key):
            return None
        return pickle.loads(content[:-DIGEST])

    def _path(self, key: Any) -> str:
        types, machine, _ = key
        which = xxh3_64_hexdigest(repr((numba.__version__, types, machine)).encode())
        return os.path.join(self._cache_path, f"{self._base}.{which}.nbc")

    def _identity(self, key: Any) -> bytes:
        return xxh3_128_digest(repr((self._source_stamp, key)).encode())


class _KernelCache(FunctionCache):
    """What numba asks for code; it never raises, but warns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), _sources())
        self._cache_file = _SealedFiles(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load code; None where it is to be compiled."""
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except OSError as error:
            _warn_once(self._cache_path, error.strerror or str(error))
        except Exception as error:  # damage, whatever unpickling and linking make of it
            _warn_once(self._cache_path, str(error) or type(error).__name__)
        if found is None:
            begin_compiling()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save code, if there is room for it."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_once(self._cache_path, error.strerror or str(error))


class _NoCache(NullCache):
    """What numba asks where there is no folder that could be written to."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Find nothing."""
        begin_compiling()


def cache_of(function: Callable[..., Any]) -> Any:
    """Return a cache beside a function's source, or in the user's folder, or none."""
    try:
        return _KernelCache(function)
    except (RuntimeError, OSError):  # numba found no folder, or no source
        _warn_of_no_folder(function)
        return _NoCache()


def _warn_of_no_folder(function: Callable[..., Any]) -> None:
    """Say what is wrong with the last folder that numba tried, if there is a source."""
    source = function.__code__.co_filename
    kind = UserProvidedCacheLocator if config.CACHE_DIR else UserWideCacheLocator
    if os.path.exists(source):
        locator = kind(function, source)
        try:
            locator.ensure_cache_path()
        except OSError as error:
            _warn_once(locator.get_cache_path(), error.strerror or str(error))


_WARNED: list[str] = []
"""The folder of which it was said."""


def _warn_once(folder: str, wrong: str) -> None:
    """Say once in a process that its kernels are compiled anew."""
    if not _WARNED:
        _WARNED.append(folder)
        warnings.warn(
            f"the cache of compiled kernels in {folder} cannot be used, so they are "
            f"compiled anew: {wrong}",
            stacklevel=2,
        )


@cache
def _sources() -> str:
    """Digest the source of all kernels: each has others built in, from other files."""
    digest = xxh3_128()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
