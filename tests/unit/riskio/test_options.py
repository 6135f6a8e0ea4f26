"""Options about uncertainty become the settings that they spell, or are refused with an example to follow."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from montecarlo.v1 import settings_pb2
from montecarlo.v1.settings_pb2 import EstimationRisk, PrecisionTarget, Scenario, SimulationSettings, Stress
from riskio import options


def settings(*words: str) -> SimulationSettings:
    parser = ArgumentParser()
    options.add(parser)
    found = SimulationSettings(paths=7)
    options.apply(parser.parse_args(words), found)
    return found


def test_without_options_the_settings_stay_as_they_are() -> None:
    assert settings() == SimulationSettings(paths=7)


def test_every_option_is_a_setting() -> None:
    found = settings(
        "--precision", "passed=0.001", "--precision", "expired=0.01", "--time-budget", "2.5",
        "--stress", "loss_factor=1.5, cost_per_trade=4.20, worst_day",
        "--scenario", "tight: limits_factor=0.8",
        "--scenario", "both:volatility_factor=2,fewer_winners=0.1,limits_factor=2",
        "--estimation-risk", "200x4096", "--rare-events", "off", "--excursions", "off",
        "--as-of", "2026-01-31T17:00:00-05:00",
    )  # fmt: skip
    wanted = SimulationSettings(
        paths=7,
        precision=[
            PrecisionTarget(outcome="passed", half_width=0.001), PrecisionTarget(outcome="expired", half_width=0.01)
        ],
        time_budget_s=2.5,
        stress=Stress(loss_factor=1.5, cost_per_trade="4.20", worst_day=True),
        scenarios=[
            Scenario(name="tight", limits_factor=0.8),
            Scenario(name="both", stress=Stress(volatility_factor=2, fewer_winners=0.1), limits_factor=2),
        ],
        estimation_risk=EstimationRisk(histories=200, paths_per_history=4096),
        rare_events=settings_pb2.RARE_EVENTS_OFF,
        excursions=settings_pb2.EXCURSIONS_OFF,
    )  # fmt: skip
    wanted.as_of.FromJsonString("2026-01-31T22:00:00Z")
    assert found == wanted


def test_the_paths_of_a_history_may_be_left_open_and_a_time_without_an_offset_is_of_utc() -> None:
    found = settings("--estimation-risk", "200", "--as-of", "2026-01-31T17:00:00")
    assert found.estimation_risk == EstimationRisk(histories=200)
    assert found.as_of.ToJsonString() == "2026-01-31T17:00:00Z"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--precision", "winning=0.1"), "give one of passed"),
        (("--precision", "passed"), "write it like passed=0.001"),
        (("--time-budget", "0"), "give seconds above 0"),
        (("--time-budget", "soon"), "not a number"),
        (("--stress", "loss_factor=much"), "write it like loss_factor=0.5"),
        (("--stress", "losses=2"), "such as loss_factor=1.5"),
        (("--stress", "worst_day=3"), "is no stress"),
        (("--scenario", "limits_factor=0.8"), "has no name"),
        (("--scenario", "tight:"), "is no stress"),
        (("--scenario", "tight:limits_factor=a"), "limits_factor=0.9"),
        (("--estimation-risk", "many"), "200x4096"),
        (("--as-of", "yesterday"), "2026-01-31T17:00:00Z"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings(*words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
