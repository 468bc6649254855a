"""The experiment: what exact masks, and renewing them often, buy in sparse training.

Small networks learn handwritten digits and characters of English, dense and with masks by
`masksolve.torch`, by every method, estimator and frequency, some seeds each: ``python -m
masksolve.bench.sparse_training``. Prints tables, leaves all figures in
bench-output/training.json, draws pictures and writes a page beside it. What was finished is
kept: interrupted, the same command goes on. With ``--read`` it lays out the figures of an
earlier run.
"""
