"""One file for each method of `masksolve.solvers`."""
