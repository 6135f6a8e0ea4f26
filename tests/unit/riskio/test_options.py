"""Options about uncertainty become the settings that they spell, or are refused with an example to follow."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

import pytest

from montecarlo.v1 import settings_pb2
from montecarlo.v1.settings_pb2 import EstimationRisk, PrecisionTarget, Scenario, SimulationSettings, Stress
from riskio import options
from simulator.codec_settings import LEAST_FACTOR, MOST_FACTOR
from simulator.codec_uncertainty import LEAST_HISTORIES, LEAST_HISTORY_PATHS, MOST_HISTORIES, MOST_HISTORY_PATHS


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


@pytest.mark.parametrize("given", ["1000000", "1_000_000", "1,000,000", "0001000000"])
def test_digits_of_a_whole_number_may_be_grouped(given: str) -> None:
    assert options.whole(1, 10**10)(given) == 1_000_000


@pytest.mark.parametrize("given", ["-1", "1.5", "many", "٣", "", "_"])
def test_what_is_no_whole_number_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a whole number, such as 1000000 or 1_000_000"):
        options.whole(0, 10)(given)


@pytest.mark.parametrize("given", ["0", "10_000_000_001", "9" * 5_000])
def test_a_whole_number_out_of_range_is_refused_with_the_range(given: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is out of range: give 1 to 10,000,000,000"):
        options.whole(1, 10**10)(given)


def test_the_paths_of_a_history_may_be_left_open() -> None:
    assert settings("--estimation-risk", "200").estimation_risk == EstimationRisk(histories=200)


def test_the_ranges_are_the_engines() -> None:
    assert options.FACTOR_RANGE == (LEAST_FACTOR, MOST_FACTOR)
    assert options.HISTORIES_RANGE == (LEAST_HISTORIES, MOST_HISTORIES)
    assert options.PATHS_RANGE == (LEAST_HISTORY_PATHS, MOST_HISTORY_PATHS)


def test_help_says_what_a_scenario_replaces_and_what_its_limits_are() -> None:
    parser = ArgumentParser()
    options.add(parser)
    told = " ".join(parser.format_help().split())
    assert "a stress, which replaces that of --stress" in told
    assert "scales the drawdown's allowance, the daily limit and the target" in told


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
        (("--estimation-risk", "0x0"), "20 to 2000"),
        (("--estimation-risk", "0"), "20 to 2000"),
        (("--estimation-risk", "20x0"), "256 to 16384"),
        (("--estimation-risk", "20x"), "200x4096"),
        (("--stress", "loss_factor=0"), "loss_factor=0 is out of range: give 0.1 to 10"),
        (("--stress", "volatility_factor=nan"), "give 0.1 to 10"),
        (("--scenario", "worse:loss_factor=0"), "give 0.1 to 10"),
        (("--scenario", "tight:limits_factor=0"), "give 0.1 to 10"),
        (("--as-of", "yesterday"), "2026-01-31T17:00:00Z"),
        (("--as-of", "2026-01-31T17:00:00"), "no offset from UTC: write it like 2026-01-31T17:00:00Z"),
        (("--as-of", "2026-01-31"), "write it like 2026-01-31T00:00:00Z"),
        (("--as-of", "0001-01-01T00:00:00+05:00"), "years 1 to 9999"),
        (("--as-of", "9999-12-31T23:00:00-05:00"), "years 1 to 9999"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings(*words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
