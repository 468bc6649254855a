"""Masks in training: they are given, renewed, counted and let go."""
