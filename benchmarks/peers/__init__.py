"""The same case, written well by other means: threaded C, numba and NumPy."""
