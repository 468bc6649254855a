"""What renewing masks costs a step of training: `make bench-step`."""
