"""How others find masks, written as their users run them, to be timed beside ours."""
