"""The experiment: does the number of masks that a pattern allows predict their quality.

Holds the exact diversity of patterns, and the paper's (Hubara et al. 2021), against the
kept score of proven optima and against the accuracy of small networks trained with the
pattern.
"""
