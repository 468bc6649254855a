"""What a suite's user writes is read as files, not collected."""

collect_ignore = ["solvers.py"]
