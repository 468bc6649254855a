"""The experiment: what provable filter pruning costs, and how good its bounds are.

Residual networks learn handwritten digits, and lose filters by every sampler down to a
twentieth of their size: ``python -m masksolve.bench.filters``. Prints tables, leaves all
figures in bench-output/filters.json, draws pictures and writes a page beside it. What was
finished is kept: interrupted, the same command goes on. With ``--read`` it lays out the
figures of an earlier run.
"""
