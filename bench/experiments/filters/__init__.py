"""The experiment: what provable filter pruning costs, and how good its bounds are.

Residual networks learn handwritten digits, and lose filters by every sampler down to a
twentieth of their size.
"""
