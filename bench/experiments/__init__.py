"""What experiments have in common: jobs in processes, kept runs, estimates, tables, a page.

An experiment does many runs, one for each of its tasks, arms and seeds. Every run is kept as
it is finished, so an interrupted experiment goes on; at the end all figures lie in one file,
from which tables, pictures and a page are made, at once or later (``--read``).
"""
