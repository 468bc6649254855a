"""The comparison suite: every method of the field beside ours, on the same data.

In a checkout this folder is ``bench/``; it is installed as `masksolve.bench`.
"""

from .contestants import Contestant, contestant

__all__ = ["Contestant", "contestant"]
