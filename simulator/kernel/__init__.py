"""What is compiled: the modules that import jax, which takes longer than a small simulation.

What kernels take and yield is defined outside, in `simulator.shape`, `levels`, `tables` and `ended`: a process that
finds its kernels compiled runs them without these modules.
"""

from __future__ import annotations

from simulator import xla

xla.prepare()
