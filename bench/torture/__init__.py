"""Hard treatment of solver and command, in rounds drawn from a seed: `make torture`."""
