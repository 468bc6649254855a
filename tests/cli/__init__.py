"""The commands, run in-process through `main` and now and then as real processes."""
