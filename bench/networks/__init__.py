"""A search for networks of few operations that find the n-th and (n+1)-th largest of m."""
