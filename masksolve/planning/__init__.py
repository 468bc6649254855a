"""What each pattern would cost and save on given weights: the planner behind `plan`."""
