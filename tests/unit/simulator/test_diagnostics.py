"""Diagnostics: dependence and drift are found where they are, and seldom where they are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from simulator import diagnostics
from simulator.diagnostics import diagnose, drift_z, effective_sample_size, lag_one_autocorrelation
from simulator.spec import Model, Settings
from tests.unit.simulator.samples import MORNING, plan_of

RUNS = 500


def series(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """AR(1) with heavy-tailed shocks, from its stationary state."""
    shocks, made = rng.standard_t(4, n + 100), [0.0]
    for shock in shocks:
        made.append(phi * made[-1] + shock)
    return np.array(made[101:])


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_the_effective_size_is_near_n_times_1_less_phi_over_1_plus_phi(phi: float) -> None:
    """Means of 40 series of 4,000; the estimator's own bias is below 10% there, its standard error below 2%."""
    rng = np.random.default_rng(21)
    found = np.mean([effective_sample_size(series(rng, 4_000, phi)) for _ in range(40)]) / 4_000
    assert found == pytest.approx((1 - phi) / (1 + phi), rel=0.2)


def test_the_effective_size_is_never_more_than_the_trades() -> None:
    assert effective_sample_size(np.array([1.0, -1.0] * 50)) == 100


def test_the_lag_one_autocorrelation_is_that_of_the_series() -> None:
    rng = np.random.default_rng(22)
    assert lag_one_autocorrelation(series(rng, 20_000, 0.3)) == pytest.approx(0.3, abs=0.04)
    assert lag_one_autocorrelation(np.array([1.0, -1.0] * 50)) == pytest.approx(-0.99)


@pytest.mark.parametrize(("n", "phi", "most"), [(60, 0.0, 0.02), (200, 0.0, 0.015), (1_000, 0.3, 0.02)])
def test_a_history_without_drift_is_seldom_said_to_drift(n: int, phi: float, most: float) -> None:
    """|z| >= 3 in at most a few of 500 series: nominally 0.3%; the bounds leave 4 standard errors above what long runs
    measured (0.6%, 0.2%, 0.6%).
    """
    rng = np.random.default_rng(23)
    alarms = sum(abs(drift_z(series(rng, n, phi))) >= 3 for _ in range(RUNS))
    assert alarms <= most * RUNS


def test_a_drift_of_half_a_standard_deviation_is_found_in_400_trades() -> None:
    rng = np.random.default_rng(24)
    falling = [np.concatenate([rng.normal(0.25, 1, 200), rng.normal(-0.25, 1, 200)]) for _ in range(100)]
    found = np.array([drift_z(each) for each in falling])
    assert found.mean() == pytest.approx(-5, abs=0.6)
    assert (found <= -3).mean() > 0.9


@pytest.mark.parametrize("values", [[5.0], [5.0] * 100, [1.0, 2.0, 3.0]])
def test_what_cannot_be_judged_is_said_to_be_neutral(values: list[float]) -> None:
    short = np.array(values)
    assert (effective_sample_size(short), lag_one_autocorrelation(short), drift_z(short)) == (short.size, 0, 0)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings(model=Model.IID), "one by one"),
        (Settings(model=Model.DAY), "days are drawn whole"),
        (Settings(model=Model.NORMAL), "fitted distribution"),
        (Settings(block_length=3.0), "as asked for"),
        (Settings(), "automatic"),
    ],
)
def test_how_the_block_length_was_come_by_is_told_in_words(settings: Settings, told: str) -> None:
    assert told in diagnose(plan_of(settings)).block_length_reason


def test_a_history_too_short_for_an_automatic_length_says_so() -> None:
    assert "too short" in diagnose(plan_of(Settings(), days=((1, -2), (3,)))).block_length_reason


def test_the_age_of_the_history_is_known_only_where_the_present_is() -> None:
    last = MORNING + timedelta(days=4)
    assert diagnose(plan_of(Settings())).age is None
    assert diagnose(plan_of(Settings(as_of=last + timedelta(days=40)))).age == timedelta(days=40)


def test_breaches_within_trades_are_looked_for_where_the_plan_says_so() -> None:
    plan = plan_of(Settings())
    assert not diagnose(plan).intra_trade
    known = replace(plan, history=replace(plan.history, mae_minor=np.minimum(plan.history.pnl_minor, 0)))
    assert diagnose(known).intra_trade


def test_the_long_run_variance_of_a_moving_average_is_the_square_of_its_sum() -> None:
    """x_t = e_t + e_(t-1): long-run variance 4, variance 2. Bartlett's weights bias it by less than 10% here."""
    shocks = np.random.default_rng(25).standard_normal(50_001)
    found = diagnostics.long_run_variance(shocks[1:] + shocks[:-1])
    assert found == pytest.approx(4, rel=0.1)
