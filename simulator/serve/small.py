"""Which simulations are too small to be cut up: one worker takes such a one whole, from its input to its result.

To plan it, to hand out its chunks, to merge what they yield and to make its result would take the ingress longer than a
worker needs for its paths, and one ingress serves many workers.
"""

from __future__ import annotations

from typing import Final

from montecarlo.engine.v1 import engine_pb2
from simulator.codec_settings import DEFAULT_PATHS
from simulator.planning import BLOCK_PATHS, DEFAULT_HORIZON_DAYS

MOST_PATHS: Final = 8 * BLOCK_PATHS
"""More are worth being spread over the workers."""

MOST_STEPS: Final = 1 << 25
"""Path-steps, about: a worker with one core should be done with them, and with a search for rare breaches, in a second
or so, as it is what a lost worker costs.
"""

MOST_TRADES: Final = 5_000
"""Of a longer history the ingress would have to count the days while it serves nobody else."""

_A_DAY_S: Final = 86_400


def is_small(request: engine_pb2.SimulateRequest) -> bool:
    """Whether it goes whole to a worker: few paths and steps, as far as an input says that has not been looked at, and
    nothing in it that needs more paths, a clock or a checkpoint.
    """
    settings = request.input.settings
    asks_for_more = (
        request.resume_from
        or settings.scenarios
        or settings.precision
        or settings.HasField("estimation_risk")
        or settings.time_budget_s
    )
    paths = settings.paths or DEFAULT_PATHS
    few = paths <= MOST_PATHS and len(request.input.trades) <= MOST_TRADES
    return not asks_for_more and few and paths * _steps(request.input) <= MOST_STEPS


def _steps(message: engine_pb2.SimulateInput) -> float:
    """Trades of a path, about."""
    settings = message.settings
    days = settings.horizon_days or _days_left(message) or DEFAULT_HORIZON_DAYS
    return days * (settings.trades_per_day or _trades_a_day(message))


def _days_left(message: engine_pb2.SimulateInput) -> int:
    """Trading days of all phases, where they have limits."""
    return message.rules.time_limit_days or sum(phase.time_limit_days for phase in message.rules.phases)


def _trades_a_day(message: engine_pb2.SimulateInput) -> float:
    days = {trade.closed_at.seconds // _A_DAY_S for trade in message.trades}
    return len(message.trades) / max(len(days), 1)
