"""Every implementation a contract suite is asked of."""

from __future__ import annotations

import pytest

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.ports.job_store import JobStore


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> JobStore:
    """An empty job store."""
    if request.param == "memory":
        return MemoryJobStore(ManualClock())
    found: JobStore = request.getfixturevalue("postgres_store")
    return found
