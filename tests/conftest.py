"""What every test shares: one PostgreSQL, one broker and one Ray cluster a run, and Hypothesis' profiles."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

from tests import kernels

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MCSIM_COMPILE_CACHE"] = str(kernels.KERNELS)  # nothing is left in the home folder, or found there
kernels.keep()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background, which the processes of tests inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("fast", max_examples=25, deadline=None, derandomize=True)
settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

pytest_plugins = [
    "tests.postgres_server",
    "tests.broker",
    "tests.apache_kafka",
    "tests.ray_cluster",
    "tests.redis_server",
]
