"""Checkpoints beyond memory: rate, memory, kills and workers: `make bench-scale`."""
