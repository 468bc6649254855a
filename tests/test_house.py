"""The floor plan holds: sizes, and contracts that fail when they are broken."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import masksolve

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path
    for folder in ("masksolve", "bench", "tests", "docs", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
KERNELS = ("kernel", "callback", "triton.jit")
COMPILED = ("solve_box",)
"""Compiled by a call, not by a decorator."""


def is_kernel(node):
    """Tell a function that is compiled from one that Python runs."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return node.name in COMPILED or any(d.startswith(KERNELS) for d in decorators)


def bodies(path):
    """Give every function that is no kernel, with the lines of its body.

    Without its docstring, and without kernels that it makes.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_kernel(node):
            continue
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        lines = node.end_lineno - body[0].lineno + 1 if body else 0
        made = [k for k in body if isinstance(k, ast.FunctionDef) and is_kernel(k)]
        yield node.name, lines - sum(k.end_lineno - k.lineno + 1 for k in made)


def test_no_file_is_long():
    long = {str(path): n for path in FILES if (n := path.read_text().count("\n")) > 450}
    assert not long


def test_no_function_is_long():
    long = [(str(path), *body) for path in FILES for body in bodies(path) if body[1] > 60]
    assert len(long) <= 3, long
    assert all(lines <= 80 for *_, lines in long), long


def test_the_face_shows_public_names_only():
    assert {name for name in dir(masksolve) if not name.startswith("__")} == set(masksolve.__all__)


PLANTED = {
    "circles": ("masksolve/torch/training/picture.py", "masksolve.torch.training.history"),
    "floors": ("masksolve/certificate.py", "masksolve.pattern"),
    "wings": ("masksolve/torch/layer.py", "masksolve.torch.sparse_linear"),
    "products": ("masksolve/torch/filters/inputs.py", "masksolve.torch.dst.thresholds"),
    "judge": ("masksolve/kernels/judge.py", "masksolve.kernels.lanes"),
    "suite": ("masksolve/problem.py", "bench.cases"),
}
"""An import for each contract that it breaks."""


def test_planted_imports_break_their_contracts(tmp_path):
    """In a function, or for types alone: both count. That all hold as they are: make check."""
    for name in ("masksolve", "bench"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for k, (file, imported) in enumerate(PLANTED.values()):
        planted = f"\n\ndef planted():\n    import {imported}\n"
        if k % 2:
            planted = (
                f"\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {imported}\n"
            )
        with (tmp_path / file).open("a", encoding="utf-8") as text:
            text.write(planted)
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    verdicts = {
        contract["id"]: "broken" if f"{contract['name']} BROKEN" in done.stdout else "kept"
        for contract in contracts["contracts"]
    }
    assert done.returncode == 1, done.stderr
    assert {name for name, verdict in verdicts.items() if verdict == "broken"} >= set(PLANTED)
    assert verdicts["kernels"] == verdicts["dask"] == "kept"
