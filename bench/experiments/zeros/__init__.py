"""The experiment: what becomes of a 2:4 weight's zeros in the tools that come after pruning.

Every tool that is installed converts the same weights; those that are not are named.
"""
