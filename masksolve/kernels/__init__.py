"""Compiled loops over preallocated arrays: numba only, no validation, no raising."""
