"""Which worker a call goes to.

Serve of itself looks at two, by chance: of the chunks of a large simulation, two a worker, some would get more than
theirs, and some none, as soon as a worker has places for more than two.
"""

from __future__ import annotations

import random

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica


class LeastBusy(FIFOMixin, RequestRouter):
    """The worker with the fewest calls, as far as this side knows; calls get theirs in the order that they came in."""

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,  # noqa: ARG002 — all are alike
    ) -> list[list[RunningReplica]]:
        """One rank of all, of which Serve takes the one with the fewest; in any order, which decides between equals."""
        return [random.sample(candidate_replicas, len(candidate_replicas))]
