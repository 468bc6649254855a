"""The AdaPrune experiment: what calibration gives back to one-shot masks of a real encoder."""
