"""The experiment: what AdaPrune gives back of what N:M masks take from a sentence encoder.

The encoder reads sentences of Python's own documentation, before it is pruned and after, by
every pattern and several methods: ``python -m masksolve.bench.adaprune``. Prints tables,
leaves all figures in bench-output/adaprune.json, draws pictures and writes a page beside it.
What was finished is kept: interrupted, the same command goes on. With ``--read`` it lays out
the figures of an earlier run.
"""
