"""How others find masks, written as their users run them, to be timed beside ours.

Each file is one rival; importing it makes it a contestant, and all of them are imported here.
What it needs is imported when it solves, so that a missing package leaves the others running.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
