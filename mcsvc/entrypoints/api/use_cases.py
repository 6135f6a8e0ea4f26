"""The use-cases a caller can reach, as gRPC and HTTP are given them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcsvc.app.cancel_simulation import CancelSimulation
from mcsvc.app.get_simulation import GetSimulation
from mcsvc.app.list_simulations import ListSimulations
from mcsvc.app.trigger_simulation import TriggerRequest
from mcsvc.app.watch_simulation import WatchSimulation
from mcsvc.domain.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """See the module."""

    trigger: Callable[[TriggerRequest], Job]
    get: GetSimulation
    find: ListSimulations
    watch: WatchSimulation
    cancel: CancelSimulation
