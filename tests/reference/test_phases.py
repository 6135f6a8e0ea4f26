"""The reference's phases, time limits and consistency, against cases worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.spec import DailyAction, DailyLoss, DrawdownKind, MinimumDays, Phase
from tests.reference.cases import BARE, FRESH, START, daily, days, drawdown
from tests.reference.passing import Calendar
from tests.reference.rule_book import BREACHED_DAILY_LOSS, BREACHED_MAX_DRAWDOWN, EXPIRED, PASSED, play

TWO = (Phase(target_minor=START + 100), Phase(target_minor=START + 50))
WEEKDAYS = Calendar(calendar_days=12, trading_days=10)
"""Two weeks from a Monday to a Friday: the trading days fall on calendar days 1, 2, 3, 4, 5, 7, 8, ..."""


def test_the_next_phase_opens_fresh_on_the_next_day() -> None:
    end = play(days([60, 70, -900], [30], [20, -5]), replace(BARE, phases=TWO), FRESH)
    assert (end.outcome, end.phase, end.days, end.trades, end.skipped) == (PASSED, 1, 3, 4, 1)
    assert (end.final_pnl, end.closes) == (50, (130, 30, 50))


def test_a_phase_passed_by_the_last_trade_of_its_day_opens_the_next_one_too() -> None:
    end = play(days([100], [-10]), replace(BARE, phases=TWO), FRESH)
    assert (end.outcome, end.phase, end.final_pnl, end.skipped) == (EXPIRED, 1, -10, 0)
    assert end.closes == (100, -10)


def test_a_phase_passed_on_the_last_day_reaches_the_next_one() -> None:
    end = play(days([100, 5]), replace(BARE, phases=TWO), FRESH)
    assert (end.outcome, end.phase, end.final_pnl, end.skipped, end.closes) == (EXPIRED, 1, 0, 1, (100,))


def test_each_phase_has_its_own_floor_and_its_own_falls() -> None:
    rules = replace(BARE, phases=TWO, max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 80))
    end = play(days([90], [-70], [80], [-79], [-1]), rules, FRESH)
    assert (end.outcome, end.phase, end.days, end.max_drawdown) == (BREACHED_MAX_DRAWDOWN, 1, 5, 80)
    end = play(days([90], [-75], [85], [-60]), rules, FRESH)
    assert (end.outcome, end.max_drawdown, end.final_pnl) == (EXPIRED, 75, -60)


def test_each_phase_has_its_own_anchor() -> None:
    rules = replace(BARE, phases=TWO, daily_loss=DailyLoss(limit_minor=40))
    assert play(days([100], [-39]), rules, FRESH).outcome == EXPIRED
    assert play(days([100], [-40]), rules, FRESH).outcome == BREACHED_DAILY_LOSS


def test_the_account_says_which_phase_is_under_way() -> None:
    account = replace(FRESH, phase=2, balance_minor=1_030, high_water_mark_minor=1_030)
    end = play(days([20]), replace(BARE, phases=TWO), account)
    assert (end.outcome, end.phase, end.final_pnl) == (PASSED, 1, 20)


def test_what_was_counted_is_of_the_phase_under_way() -> None:
    rules = replace(BARE, phases=tuple(replace(phase, minimum_days=MinimumDays(days=2)) for phase in TWO))
    end = play(days([100], [50], [0]), rules, replace(FRESH, qualifying_days=1))
    assert (end.outcome, end.days) == (PASSED, 3)


def test_a_phase_is_held_back_by_its_days_and_expires_by_its_own_limit() -> None:
    limited = tuple(replace(phase, time_limit_days=2) for phase in TWO)
    rules = replace(BARE, phases=limited)
    end = play(daily([1, 1, 1]), rules, FRESH)
    assert (end.outcome, end.phase, end.days) == (EXPIRED, 0, 2)
    end = play(daily([1, 99, 1, 1, 1]), rules, FRESH)
    assert (end.outcome, end.phase, end.days) == (EXPIRED, 1, 4)
    end = play(daily([100, 1, 1]), rules, replace(FRESH, days_traded=1))
    assert (end.outcome, end.phase, end.days) == (EXPIRED, 1, 3)


def test_a_phase_passed_by_a_trade_that_pauses_goes_on_to_the_next() -> None:
    phases = (Phase(target_minor=START + 100, minimum_days=MinimumDays(days=2)), TWO[1])
    rules = replace(BARE, phases=phases, daily_loss=DailyLoss(limit_minor=50, action=DailyAction.PAUSE))
    end = play(days([300], [-60, 7], [50]), rules, FRESH)
    assert (end.outcome, end.phase, end.paused_days, end.skipped) == (PASSED, 1, 0, 1)


def test_the_time_limit_counts_the_days_already_traded() -> None:
    end = play(daily([1] * 9), replace(BARE, time_limit_days=5), replace(FRESH, days_traded=3))
    assert (end.outcome, end.days) == (EXPIRED, 2)


@pytest.mark.parametrize(
    ("limit", "used", "lasts"),
    [(1, 0, 1), (5, 0, 5), (6, 0, 5), (7, 0, 6), (12, 0, 10), (30, 0, 25), (30, 18, 10), (30, 29, 1)],
)
def test_calendar_days_pass_at_the_pace_of_the_history(limit: int, used: int, lasts: int) -> None:
    rules, account = replace(BARE, time_limit_calendar_days=limit), replace(FRESH, calendar_days_used=used)
    end = play(daily([1] * 60), rules, account, pace=WEEKDAYS)
    assert (end.outcome, end.days) == (EXPIRED, lasts)


def test_the_nearer_of_two_limits_counts() -> None:
    rules = replace(BARE, time_limit_calendar_days=7, time_limit_days=5)
    assert play(daily([1] * 9), rules, FRESH, pace=WEEKDAYS).days == 5
    rules = replace(BARE, time_limit_calendar_days=7, time_limit_days=7)
    assert play(daily([1] * 9), rules, FRESH, pace=WEEKDAYS).days == 6


def test_calendar_days_used_are_those_of_the_present_phase() -> None:
    rules = replace(BARE, phases=tuple(replace(phase, time_limit_calendar_days=7) for phase in TWO))
    end = play(daily([1, 99, *[1] * 20]), rules, replace(FRESH, calendar_days_used=4), pace=WEEKDAYS)
    assert (end.phase, end.days) == (1, 8)


def test_a_pass_waits_until_the_best_day_is_small_enough() -> None:
    """200 of 200, of 250, of 330 are too much for a half; of 400 it is not."""
    rules = replace(BARE, target_minor=START + 100, best_day_ppm=500_000)
    end = play(daily([200, 50, 80, 70]), rules, FRESH)
    assert (end.outcome, end.days, end.final_pnl) == (PASSED, 4, 400)
    assert play(daily([200, 50, 80, 69]), rules, FRESH).outcome == EXPIRED


def test_the_day_under_way_is_a_candidate_for_the_best_day() -> None:
    """100 and 100, then a day of 201 is more than half of 401; of 200, exactly half of 400."""
    rules = replace(BARE, target_minor=START + 300, best_day_ppm=500_000)
    assert play(daily([100, 100, 201]), rules, FRESH).outcome == EXPIRED
    assert play(daily([100, 100, 200]), rules, FRESH).outcome == PASSED
    assert play(days([100], [100], [201, -1]), rules, FRESH).outcome == PASSED


def test_the_best_day_so_far_counts() -> None:
    rules = replace(BARE, target_minor=START + 100, best_day_ppm=500_000)
    account = replace(FRESH, balance_minor=1_250, high_water_mark_minor=1_250, best_day_minor=200)
    assert play(daily([149]), rules, account).outcome == EXPIRED
    assert play(daily([150]), rules, account).outcome == PASSED


def test_a_share_of_a_profit_is_compared_exactly() -> None:
    """33.3333% of 300,000,003 is 99,999,900.9999: a best day of 99,999,900 is small enough, one more is not."""
    rules = replace(BARE, target_minor=START + 1, best_day_ppm=333_333)
    for best, outcome in ((99_999_900, PASSED), (99_999_901, EXPIRED)):
        account = replace(FRESH, best_day_minor=best, balance_minor=START + 300_000_000)
        assert play(daily([3]), rules, account).outcome == outcome
