"""What shows and measures masksolve; none of it is installed with the package."""
