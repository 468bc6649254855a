"""What each tensor of a model is: the matrix of a product, or something that no mask is for.

By name, shape and configuration alone, so that a file and the model that is made of it are
judged alike.
"""

from masksolve.roles.facts import Facts
from masksolve.roles.fit import misfit
from masksolve.roles.judging import judge
from masksolve.roles.verdict import Verdict

__all__ = ["Facts", "Verdict", "judge", "misfit"]
