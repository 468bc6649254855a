"""``python -m masksolve`` is the command ``masksolve``."""

import sys

from masksolve.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
