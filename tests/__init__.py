"""The suite mirrors the package; `naive` and `strategies` are shared by all of it."""
