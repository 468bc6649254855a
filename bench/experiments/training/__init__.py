"""The experiment: what exact masks, and renewing them often, buy in sparse training.

Small networks learn handwritten digits and characters of English, dense and with masks by
`masksolve.torch`, by every method, estimator and frequency, some seeds each.
"""
