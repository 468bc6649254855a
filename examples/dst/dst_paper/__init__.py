"""The networks, settings and data of Dynamic Sparse Training (Liu et al. 2020)."""
