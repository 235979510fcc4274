"""Reducers: (n, d) floats to (n, k) floats and back, a file per method."""
