"""Hands over to the package as it is installed: nothing may be there twice."""

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL = "expected this checkout to be installed: pip install --editable '.[bench,demo]'"


def main() -> int:
    """Run the command of `masksolve.bench`, if it is that of this checkout."""
    try:
        found = import_module("masksolve.bench.experiments")
        command = import_module("masksolve.bench.experiments.command")
    except ModuleNotFoundError as error:
        print(f"there is no module {error.name}: {INSTALL}", file=sys.stderr)
        return 2
    there = Path(found.__path__[0]).resolve()
    if there != HERE:
        print(f"masksolve.bench is in {there.parent}: {INSTALL}", file=sys.stderr)
        return 2
    code: int = command.main()
    return code


if __name__ == "__main__":
    sys.exit(main())
