"""The experiment: does the number of masks that a pattern allows predict their quality.

Holds the exact diversity of patterns, and the paper's (Hubara et al. 2021), against the
kept score of proven optima and against the accuracy of small networks trained with the
pattern: ``python -m masksolve.bench.diversity``. Prints tables, leaves all figures in
bench-output/diversity.json and draws bench-output/diversity.png. With ``--read`` it does
the same with the figures of an earlier run.
"""
