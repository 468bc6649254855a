"""The experiment: Dynamic Sparse Training on handwritten digits, over a sweep of alpha.

LeNets see scikit-learn's digits as images, LSTMs read them row by row: dense, with
thresholds of every kind, and with thresholds that choose N:M masks, some seeds each:
``python -m masksolve.bench.dst``. Prints tables, leaves all figures in bench-output/dst.json,
draws pictures and writes a page beside it. What was finished is kept: interrupted, the same
command goes on. With ``--read`` it lays out the figures of an earlier run.
"""
