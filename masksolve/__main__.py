"""The command ``masksolve``, and ``python -m masksolve``: quiet where it is interrupted at once."""

import signal
import sys

from masksolve import __version__

__all__ = ["main"]


def main() -> int:
    """Run the command line; an interrupt while it is imported ends the process, and no more.

    `masksolve.cli.main.main` takes interrupts as Python does as long as it runs. What is left
    after it needs no more of a word than what comes before.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:] == ["--version"]:  # no reason to wait for NumPy
        print(f"masksolve {__version__}")
        return 0
    from masksolve.cli.main import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
