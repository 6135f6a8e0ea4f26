"""The report: everything a risk officer needs on one screen, at any width from 80 and without colour."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from itertools import groupby

import pytest
from rich.console import Console

from montecarlo.v1 import settings_pb2
from montecarlo.v1.result_pb2 import (
    STOP_REASON_PRECISION,
    Diagnostics,
    Distribution,
    EquityFan,
    Estimate,
    EstimationInterval,
    EstimationRiskResult,
    FanDay,
    HistorySummary,
    Outcomes,
    PhaseResult,
    Quantile,
    RareEventEstimate,
    ScenarioResult,
    SimulationResult,
    TailRisk,
)
from montecarlo.v1.result_pb2 import (
    Warning as Caveat,
)
from riskio import fan, numbers, report
from riskio.tables import probability


def estimate(value: float, error: float = 1.0) -> Estimate:
    return Estimate(value=value, std_error=error, ci_low=value - 2 * error, ci_high=value + 2 * error)


def distribution(mean: float) -> Distribution:
    quantiles = [Quantile(probability=level, estimate=estimate(mean * (1 + level))) for level in report.QUANTILES[0]]
    return Distribution(count=1_000, mean=estimate(mean), quantiles=quantiles)


def fan_day(day: int, spread: float) -> FanDay:
    levels = {0.05: -2, 0.25: -1, 0.5: 0, 0.75: 1, 0.95: 2}
    return FanDay(
        day=day,
        quantiles=[
            Quantile(probability=level, estimate=estimate(50_000 + step * spread)) for level, step in levels.items()
        ],
    )


def sample() -> SimulationResult:
    pnl = distribution(1_234.5)
    pnl.tails.append(TailRisk(confidence=0.95, value_at_risk=estimate(1_811), expected_shortfall=estimate(2_022)))
    pnl.tails.append(TailRisk(confidence=0.99, value_at_risk=estimate(2_433), expected_shortfall=estimate(2_644)))
    return SimulationResult(
        outcomes=Outcomes(
            passed=estimate(0.5, 0.01),
            breached_max_drawdown=estimate(0.3, 0.01),
            breached_daily_loss=Estimate(value=0, std_error=1e-5, ci_low=0, ci_high=3.8e-5),
            expired=estimate(0.2, 0.01),
        ),
        final_pnl=pnl,
        max_drawdown=distribution(900),
        days_to_pass=distribution(12),
        days_to_breach=Distribution(count=0),
        trades_to_end=distribution(80),
        equity_fan=EquityFan(paths=65_536, days=[fan_day(day, 30 * day**0.5) for day in range(0, 61, 2)]),
        paths=100_000,
        path_steps=40_000_000,
        seed=18_446_744_073_709_551_615,
        model=settings_pb2.RESAMPLING_MODEL_STATIONARY,
        block_length=3.25,
        horizon_days=60,
        currency="USD",
        history=HistorySummary(
            trades=500, days=120, mean_pnl=12.34, win_rate=0.55, first_day="2024-01-02", last_day="2024-06-28"
        ),
        warnings=[Caveat(code="SHORT_HISTORY", message="Few trades. " * 12)],
        engine_version="1.2.3",
        input_digest="0123456789abcdef" * 4,
        elapsed_s=2.0,
    )


def outcomes_of(passed: float, max_drawdown: float, daily_loss: float, expired: float, error: float) -> Outcomes:
    return Outcomes(
        passed=estimate(passed, error),
        breached_max_drawdown=estimate(max_drawdown, error),
        breached_daily_loss=estimate(daily_loss, error),
        expired=estimate(expired, error),
    )


def everything() -> SimulationResult:
    """A result with all that a result may have."""
    result = sample()
    result.phases.extend(
        PhaseResult(phase=number, reached=estimate(reached, 0.001), passed=estimate(reached / 2, 0.001))
        for number, reached in ((1, 1.0), (2, 0.5), (3, 0.25))
    )
    for name, mean in (("payout", 4_321.5), ("payouts", 1.5), ("paused_days", 2.5)):
        getattr(result, name).CopyFrom(distribution(mean))
    for name in ("worse", "ä name as long as a name may be " * 2):
        result.scenarios.append(
            ScenarioResult(
                name=name,
                outcomes=outcomes_of(0.25, 0.55, 0.000012, 0.2, 0.001),
                differences=outcomes_of(-0.25, 0.25, 0.000012, 0.0, 0.000004),
                mean_final_pnl=estimate(-12_345.6),
                mean_final_pnl_difference=estimate(-13_580.1, 12),
            )
        )
    interval = EstimationInterval(mean=0.45, std_dev=0.1, low=0.21, high=0.67)
    result.estimation_risk.CopyFrom(
        EstimationRiskResult(
            histories=500, paths_per_history=2_048, passed=interval, breached_max_drawdown=interval,
            breached_daily_loss=EstimationInterval(low=0, high=0.0037), expired=interval,
        )
    )  # fmt: skip
    result.rare_events.append(
        RareEventEstimate(
            outcome="breached_daily_loss", probability=estimate(1.9e-9, 4e-11), relative_error=0.021, paths=200_000
        )
    )
    result.diagnostics.CopyFrom(
        Diagnostics(effective_sample_size=321.4, lag_one_autocorrelation=-0.07, drift_z=2.25, intra_trade=True)
    )
    result.stop_reason = STOP_REASON_PRECISION
    return result


def line_with(shown: str, beginning: str) -> str:
    return next(line for line in shown.splitlines() if line.strip().startswith(beginning))


def text(result: SimulationResult, width: int = 100, **how: object) -> str:
    console = Console(file=io.StringIO(), width=width, **how)  # type: ignore[arg-type]  # rich's own keywords
    report.render(result, console, title="Trader [7]", timing={"queued": 0.02, "simulate": 1.25})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("figure", "low", "high", "shown"),
    [
        (1.62e-5, 9.85e-6, 2.6e-5, "0.00162% 0.00098% – 0.00260%"),
        (9e-4, 5.69e-4, 1.4e-3, "0.0900% 0.0569% – 0.1400%"),
        (0.25, 1.2e-9, 0.252, "25.00% <0.01% – 25.20%"),
        (0, 0, 1.28e-6, "0.000000% 0.000000% – 0.000128%"),
        (0, 0, 3.8e-8, "0 0 – 3.80e-8"),
        (1.93e-9, 0, 0.002, "1.93e-9 0 – 0.002"),
        (1 - 1.62e-5, 1 - 2.6e-5, 1, "99.99838% 99.99740% – 100.00000%"),
        (1, 1 - 1e-9, 1, "100.000000% >99.999999% – 100.000000%"),
        (0, 0, 1, "0.00% 0.00% – 100.00%"),
    ],
)
def test_a_probability_and_its_interval_are_in_one_notation_of_as_many_digits(
    figure: float, low: float, high: float, shown: str
) -> None:
    assert " ".join(probability(Estimate(value=figure, ci_low=low, ci_high=high))) == shown


def test_a_rare_breach_is_in_one_notation_wherever_it_stands() -> None:
    result = everything()
    rare = Estimate(value=1.62e-5, ci_low=9.85e-6, ci_high=2.6e-5)
    result.outcomes.breached_daily_loss.CopyFrom(rare)
    result.rare_events[0].probability.CopyFrom(rare)
    rows = [line for line in text(result).splitlines() if line.startswith(" Breached daily loss")]
    assert all(re.search(r" 0\.00162% +0\.00098% – 0\.00260% ", row) for row in rows)
    assert len(rows) == 2
    assert rows[0].endswith(" 0.00000% – 0.37000%")


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("of", [sample, everything])
def test_no_line_is_wider_than_the_console_or_cut(of: Callable[[], SimulationResult], width: int) -> None:
    shown = text(of(), width)
    assert max(len(line) for line in shown.splitlines()) <= min(width, report.MAX_WIDTH)
    assert "…" not in shown


@pytest.mark.parametrize("columns", ["20", "60", "80"])
def test_a_narrow_terminal_folds_the_report_of_a_wider_one(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    report.render(everything(), report.page(), title="Trader [7]", timing={"queued": 0.02, "simulate": 1.25})
    assert capsys.readouterr().out == text(everything(), 80)


def test_a_page_is_as_wide_as_its_terminal_or_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "101")
    assert (report.page().width, report.page(99).width, report.page(60).width) == (101, 99, 80)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("scale", [1e3, 1e5])
def test_large_amounts_leave_quantiles_out_rather_than_digits(width: int, scale: float) -> None:
    result = sample()
    for figure in (result.final_pnl, result.max_drawdown):
        figure.CopyFrom(distribution(1_234 * scale))
    shown = text(result, width)
    assert f"{1_234 * scale:,.0f}" in shown
    assert f"{1_234 * scale * 1.95:,.0f}" in shown
    assert "…" not in shown


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize(
    "figure",
    [
        "Trader [7]", "100,000", "stationary bootstrap, mean block 3.25 trades", "18446744073709551615",
        "500 trades on 120 days", "2024-01-02", "50.00%", "48.00% – 52.00%", "1,811", "2,022", "2,433", "2,644",
        "Largest drawdown", "Days to pass", "Days to breach", "SHORT_HISTORY", "median of 65,536 paths", "day 60",
        "queued 20 ms", "simulate 1.2 s", "(engine 2.0 s, 20 M trades/s)", "USD",
    ],
)  # fmt: skip
def test_what_a_risk_officer_reads_is_there(width: int, figure: str) -> None:
    assert figure in text(sample(), width)


def test_without_colour_nothing_but_text_is_written() -> None:
    assert "\x1b" not in text(sample())
    assert "\x1b" in text(sample(), force_terminal=True, color_system="standard")


def test_an_outcome_never_seen_shows_its_upper_bound() -> None:
    assert "0.00000% – 0.00380%" in text(sample())


def test_a_figure_no_path_has_is_said_to_be_missing() -> None:
    line = next(line for line in text(sample()).splitlines() if "Days to breach" in line)
    assert line.split() == ["Days", "to", "breach", "none"]


def test_an_interval_without_bounds_is_said_to_be_open() -> None:
    result = sample()
    result.final_pnl.tails[1].expected_shortfall.ci_high = math.inf
    shown = text(result)
    assert shown.count("open: not bounded") == 1
    assert "open: not bounded" not in text(sample())


def test_a_half_width_without_bounds_is_explained_once() -> None:
    result = sample()
    result.final_pnl.mean.ci_high = result.max_drawdown.mean.ci_high = math.inf
    shown = text(result)
    assert shown.count("±open") == 2
    assert shown.count("open: not bounded") == 1


def test_no_warnings_are_said_too() -> None:
    result = sample()
    del result.warnings[:]
    result.diagnostics.age_days = 0
    assert "No warnings." in text(result)
    assert "as_of" not in text(result)


def test_an_age_that_was_not_looked_at_is_told_where_there_is_no_warning() -> None:
    result = sample()
    assert "as_of" not in text(result)
    del result.warnings[:]
    shown = " ".join(text(result).split())
    assert "No warnings. How old the history is was not looked at, as no present was given (as_of)." in shown


def test_the_fan_has_its_median_between_its_bands() -> None:
    lines = [str(line) for line in fan.fan_chart(sample().equity_fan, 78)]
    last_day = "".join(line[-1] for line in lines[: fan.FAN_ROWS]).strip()
    assert [mark for mark, _ in groupby(last_day)] == ["░", "▓", "━", "▓", "░"]


def test_a_fan_without_spread_is_drawn() -> None:
    flat = EquityFan(paths=1, days=[fan_day(day, 0) for day in (0, 1)])
    lines = [str(line) for line in fan.fan_chart(flat, 78)]
    assert any("━━━" in line for line in lines)


@pytest.mark.parametrize(("spread", "labels"), [(0.1, ["0.2", "0.0", "-0.2"]), (0.012, ["0.02", "0.00", "-0.02"])])
def test_the_axis_of_a_small_account_tells_its_steps_apart(spread: float, labels: list[str]) -> None:
    days = [fan_day(day, spread) for day in (0, 1)]
    for day in days:
        for each in day.quantiles:
            each.estimate.value -= 50_000
    lines = [str(line) for line in fan.fan_chart(EquityFan(paths=1, days=days), 78)]
    shown = [line.split()[0] for line in lines if "┤" in line]
    assert len(set(shown)) == len(shown)
    assert set(labels) <= set(shown)


def test_a_fan_of_no_days_says_so() -> None:
    assert [str(line) for line in fan.fan_chart(EquityFan(), 78)] == ["No day was simulated."]


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0.00%"), (1, "100.00%"), (1e-9, "<0.01%"), (1 - 1e-9, ">99.99%"), (1.002, "100.20%"), (-0.002, "-0.20%")],
)
def test_only_what_is_certain_is_shown_as_0_or_100_percent(share: float, shown: str) -> None:
    assert numbers.percent(share, 2) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0"), (1.9312e-9, "1.93e-9"), (9.999e-5, "1.00e-4"), (1.5e-12, "1.50e-12"), (0.0123456, "0.0123"), (1, "1")],
)
def test_rare_probabilities_are_plain_numbers_of_three_digits(share: float, shown: str) -> None:
    assert numbers.rare(share) == shown


@pytest.mark.parametrize(("share", "cells"), [(0, ""), (1e-9, "▏"), (0.5, "█████"), (1, "██████████")])
def test_a_bar_shows_what_happens_at_all(share: float, cells: str) -> None:
    assert numbers.bar(share, 10) == cells.ljust(10)


def test_sampling_error_and_what_the_history_leaves_open_stand_side_by_side_and_are_named() -> None:
    shown = text(everything())
    row = line_with(shown, "Passed")
    assert row.index("50.00%") < row.index("48.00% – 52.00%") < row.index("21.00% – 67.00%")
    assert "500 resampled histories of 2,048 paths each" in " ".join(shown.split())
    assert "They do not add up." in " ".join(shown.split())


def test_histories_left_out_are_counted_and_without_enough_of_the_others_there_is_no_interval() -> None:
    result = everything()
    result.estimation_risk.left_out = 12
    assert "500 resampled histories of 2,048 paths each, 12 of them left out." in " ".join(text(result).split())
    for field in ("passed", "breached_max_drawdown", "breached_daily_loss", "expired"):
        result.estimation_risk.ClearField(field)
    assert line_with(text(result), "Passed").split()[-1] == "unknown"


def test_ends_of_which_the_error_is_known_have_it_below() -> None:
    result = everything()
    passed = result.estimation_risk.passed
    passed.low_std_error, passed.high_std_error = 0.01, 0.02
    result.estimation_risk.expired.low_std_error = math.inf
    lines = text(result, 80).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(" Passed"))
    assert lines[at + 1].split() == ["±1.96%", "±3.92%"]
    assert lines[at + 2].startswith(" Breached max drawdown")
    assert text(result).count("±1.96%") == 1
    assert "± what more histories would narrow of either end" in " ".join(text(result).split())
    assert "either end" not in text(everything())


@pytest.mark.parametrize(
    ("width", "interval"),
    [
        (80, ["24.80–25.20%", "54.80–55.20%", "-0.19880–0.20120%", "19.80–20.20%", "-12,348 – -12,344"]),
        (100, ["24.80% – 25.20%", "54.80% – 55.20%", "-0.19880% – 0.20120%", "19.80% – 20.20%", "-12,348 – -12,344"]),
    ],
)
def test_a_scenario_shows_its_figures_and_below_them_what_they_differ_by(width: int, interval: list[str]) -> None:
    shown = text(everything(), width).splitlines()
    lines = [line.split() for line in shown]
    at = lines.index(["worse"])
    assert lines[at + 1] == ["25.00%", "55.00%", "0.00120%", "20.00%", "-12,346"]
    assert " ".join(lines[at + 2]) == " ".join(interval)
    assert lines[at + 3] == ["-25.0000", "+25.0000", "+0.0012", "+0.0000", "-13,580"]
    assert lines[at + 4] == ["±0.0008", "±0.0008", "±0.0008", "±0.0008", "±24"]


def test_columns_of_scenarios_stand_below_one_another_at_any_width() -> None:
    """The last letter of each figure is where its heading ends, whatever a scenario's widest figure is."""
    result = everything()
    result.scenarios[1].outcomes.passed.CopyFrom(estimate(0.000125, 0.0000125))
    for width in (80, 100):
        shown = text(result, width).splitlines()
        at = next(number for number, line in enumerate(shown) if line.split()[:2] == ["passed", "max"])
        ends = [shown[at].index(head) + len(head) for head in ("passed", "drawdown", "loss", "survived", "P&L")]
        for line in (shown[at + 2], shown[at + 7]):
            assert [line[end - 1] != " " and line[end : end + 1] in {" ", ""} for end in ends] == [True] * 5
    assert "0.0100–0.0150%" in text(result, 80)


def test_figures_of_many_digits_have_their_intervals_on_two_lines_rather_than_cut() -> None:
    result = everything()
    for scenario in result.scenarios:
        scenario.outcomes.passed.CopyFrom(estimate(1.25e-6, 1e-7))
        scenario.outcomes.expired.CopyFrom(estimate(1 - 1.25e-6, 1e-7))
    result.estimation_risk.breached_daily_loss.low_std_error = 1e-7
    result.outcomes.breached_daily_loss.CopyFrom(estimate(1.25e-6, 1e-7))
    shown = text(result, 80)
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "…" not in shown
    at = next(number for number, line in enumerate(shown.splitlines()) if line.split() == ["worse"])
    lows, highs = (shown.splitlines()[at + 2 + line].split() for line in (0, 1))
    assert (lows[0], highs[0]) == ("0.000105–", "0.000145%")
    assert (lows[-1], highs[-1]) == ("-12,348–", "-12,344")


@pytest.mark.parametrize(
    "figure",
    [
        "as precise as asked", "worth 321 independent trades", "looked for within trades", "Paid to the trader",
        "Payouts", "Days paused", "Rare breaches, by importance sampling", "1.90e-9", "1.82e-9 – 1.98e-9", "2.1%",
    ],
)  # fmt: skip
def test_what_only_some_results_have_is_there(figure: str) -> None:
    assert figure in text(everything())
    assert figure not in text(sample())


@pytest.mark.parametrize(("steps", "spent"), [(40_000_000, 0.9), (2_000_000, 7.3)])
def test_a_run_too_short_to_tell_the_speed_of_the_engine_has_no_rate(steps: int, spent: float) -> None:
    result = sample()
    result.path_steps, result.elapsed_s = steps, spent
    assert text(result).rstrip().endswith(f"simulate 1.2 s (engine {numbers.seconds(spent)})")


def test_phases_are_shown_one_a_line() -> None:
    assert line_with(text(everything()), "3 ").split()[:2] == ["3", "25.00%"]


def test_an_account_that_cannot_pass_has_no_row_for_it() -> None:
    funded = everything()
    funded.outcomes.ClearField("passed")
    for scenario in funded.scenarios:
        scenario.outcomes.ClearField("passed")
        scenario.differences.ClearField("passed")
    shown = text(funded)
    assert "Survived or expired" in shown
    assert "Passed" not in shown
    assert "Days to pass" not in shown


def test_a_result_without_a_fan_has_no_chart() -> None:
    result = sample()
    result.ClearField("equity_fan")
    assert "Balance over time" not in text(result)


@pytest.mark.parametrize(
    ("difference", "half_width", "shown"),
    [
        (-0.24986, 0.00083, ("-24.99", "±0.08")),
        (0.5, 0.05, ("+50", "±5")),
        (0.0, 1.95e-9, ("+0.0000000", "±0.0000002")),
        (0.01, 0.0, ("+1.00", "±0.00")),
        (0.01, math.inf, ("+1.00", "±inf")),
    ],
)
def test_a_difference_has_the_digits_of_its_error(difference: float, half_width: float, shown: tuple[str, str]) -> None:
    assert numbers.points(difference, half_width) == shown


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1200, "1,200 entries")]
)
def test_a_number_has_its_noun_in_the_singular_or_the_plural(number: int, told: str) -> None:
    assert numbers.counted(number, "entry", "entries") == told
    assert numbers.counted(number, "day") == told.replace("entry", "day").replace("entries", "days")


def test_a_history_of_one_trade_and_one_path_are_told_in_the_singular() -> None:
    result = everything()
    result.paths = result.equity_fan.paths = result.horizon_days = result.path_steps = 1
    result.history.trades = result.history.days = 1
    said = text(result)
    assert "1 over 1 trading day, 1 trade" in said
    assert "1 trade on 1 day," in said
    assert "median of 1 path" in said
