"""Docstrings of the standard library, which every Python brings along; no module is imported.

They differ a little between versions of Python.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["halves", "modules", "of_module", "where"]

APART = frozenset(
    {"distutils", "ensurepip", "idlelib", "lib2to3", "test", "tkinter", "turtle", "turtledemo"}
)
"""What some installations leave out."""
TESTS = frozenset({"test", "tests", "site-packages"})
SHORTEST = 200
"""Letters of a docstring that says something by itself,"""
MOST = 20_000
"""and letters of one module; a few would say most of all."""


def where() -> Path:
    """Return the folder of the standard library."""
    return Path(sysconfig.get_path("stdlib"))


def modules() -> list[str]:
    """Name the modules, in order."""
    return sorted(sys.stdlib_module_names - APART)


def of_module(module: str) -> Iterator[str]:
    """Go through the docstrings of a module, or of a package and all in it."""
    root = where()
    folder = root / module
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [root / f"{module}.py"]
    for file in files:
        if TESTS & set(file.relative_to(root).parts) or not file.is_file():
            continue  # built in, or written in C
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""


def halves() -> tuple[list[str], list[str]]:
    """Return whole docstrings: of half the modules, and of the other half, none of them twice."""
    seen: set[str] = set()
    texts: dict[str, list[str]] = {}
    for module in modules():
        room = MOST
        for text in of_module(module):
            if len(text) >= SHORTEST and text not in seen and len(text) <= room:
                seen.add(text)
                room -= len(text)
                texts.setdefault(module, []).append(text)
    names = list(texts)
    order = [names[k] for k in np.random.default_rng(0).permutation(len(names))]
    parts = order[::2], order[1::2]
    first, second = ([text for name in part for text in texts[name]] for part in parts)
    return first, second
