"""The experiment: Dynamic Sparse Training on handwritten digits, over a sweep of alpha.

LeNets see scikit-learn's digits as images, LSTMs read them row by row: dense, with
thresholds of every kind, and with thresholds that choose N:M masks, some seeds each.
"""
