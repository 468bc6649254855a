"""The experiment: whether a model's modules and its file choose the same weights.

Every architecture of transformers that can be made small from its configuration alone gets
masks both ways, and what differs is named.
"""
