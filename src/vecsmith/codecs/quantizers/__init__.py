"""Quantizers: (n, d) floats to (n, bytes) codes and back, a file per method."""
