"""What the experiments have in common: jobs in processes, kept runs, estimates, the command.

An experiment does many runs, one for each of its tasks, arms and seeds. Every run is kept as
it is finished, so an interrupted experiment goes on; at the end all findings lie in one file,
from which tables, pictures and a page are made, at once or later (``--read``).
"""
