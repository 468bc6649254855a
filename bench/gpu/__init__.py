"""Masks and sparse products on a GPU, measured."""
