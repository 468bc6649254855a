"""The experiment: what AdaPrune gives back of what N:M masks take from a sentence encoder.

The encoder reads sentences of Python's own documentation, before it is pruned and after, by
every pattern and several methods.
"""
