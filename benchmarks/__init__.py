"""Measurements, side by side with peers in one run. `make bench`."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before jax is imported: all figures but those of a GPU are of the CPU
