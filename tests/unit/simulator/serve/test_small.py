"""Which simulations go whole to a worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import settings_pb2
from simulator.serve.small import MOST_PATHS, MOST_STEPS, MOST_TRADES, is_small
from simulator.serve.usual import usual_input

Change = Callable[[engine_pb2.SimulateRequest], None]


def request(paths: int = 10_000, *changes: Change) -> engine_pb2.SimulateRequest:
    """Four trades a day, 60 days."""
    found = engine_pb2.SimulateRequest(input=usual_input(paths))
    for change in changes:
        change(found)
    return found


def two_a_day(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.trades_per_day = 2


def a_year(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.horizon_days = 252


def no_horizon(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.horizon_days = 0


def phases_of_a_year(found: engine_pb2.SimulateRequest) -> None:
    no_horizon(found)
    for _ in range(2):
        found.input.rules.phases.add(time_limit_days=126)


def long_history(found: engine_pb2.SimulateRequest) -> None:
    found.input.trades.extend([found.input.trades[0]] * MOST_TRADES)


def resumed(found: engine_pb2.SimulateRequest) -> None:
    found.resume_from = b"what was done"


def with_scenario(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.scenarios.add(name="worse")


def with_precision(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.precision.add(half_width=0.01)


def with_time_budget(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.time_budget_s = 1


def with_estimation_risk(found: engine_pb2.SimulateRequest) -> None:
    found.input.settings.estimation_risk.CopyFrom(settings_pb2.EstimationRisk())


@pytest.mark.parametrize(
    "small",
    [
        request(),
        request(0),
        request(MOST_PATHS),
        request(MOST_PATHS, two_a_day),
        request(MOST_PATHS, no_horizon),
        request(MOST_STEPS // (4 * 252), a_year),
        engine_pb2.SimulateRequest(),
    ],
)
def test_an_ordinary_nightly_account_goes_whole_to_a_worker(small: engine_pb2.SimulateRequest) -> None:
    assert is_small(small)


@pytest.mark.parametrize(
    "large",
    [
        request(MOST_PATHS + 1),
        request(MOST_STEPS // (4 * 252) + 1, a_year),
        request(MOST_STEPS // (4 * 252) + 1, phases_of_a_year),
        request(1_000, long_history),
    ],
)
def test_what_takes_long_is_spread(large: engine_pb2.SimulateRequest) -> None:
    assert not is_small(large)


@pytest.mark.parametrize("change", [resumed, with_scenario, with_precision, with_time_budget, with_estimation_risk])
def test_what_may_take_more_than_its_paths_is_spread(change: Change) -> None:
    assert not is_small(request(1_000, change))
