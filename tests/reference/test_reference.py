"""The reference itself, against published vectors and cases worked by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from simulator.spec import Account, BreachOperator, DailyLoss, DrawdownKind, MaxDrawdown, MinimumDays, Model, Rules
from tests.reference.paths import MASK, Drawing, draw_days, threefry
from tests.reference.rule_book import (
    BREACHED_DAILY_LOSS,
    BREACHED_MAX_DRAWDOWN,
    EXPIRED,
    PASSED,
    play,
)

FRESH = Account(balance_minor=1_000, high_water_mark_minor=1_000)
BARE = Rules(starting_balance_minor=1_000)


def with_drawdown(kind: DrawdownKind, allowance: int, lock: int | None = None) -> Rules:
    return replace(BARE, max_drawdown=MaxDrawdown(kind=kind, allowance_minor=allowance, lock_minor=lock))


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((MASK, MASK), (MASK, MASK), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_vectors(
    counter: tuple[int, int], key: tuple[int, int], words: tuple[int, int]
) -> None:
    assert threefry(key, counter, rounds=20) == words


def test_a_static_floor_does_not_move() -> None:
    end = play([[500], [-599], [-1]], with_drawdown(DrawdownKind.STATIC, 100), FRESH)
    assert (end.outcome, end.days, end.final_pnl, end.max_drawdown) == (BREACHED_MAX_DRAWDOWN, 3, -100, 600)


def test_an_end_of_day_floor_trails_only_overnight() -> None:
    rules = with_drawdown(DrawdownKind.TRAILING_END_OF_DAY, 100)
    assert play([[300, -390]], rules, FRESH).outcome == EXPIRED
    assert play([[300], [-100]], rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_an_intraday_floor_trails_at_once_and_stops_at_its_lock() -> None:
    assert play([[300, -100]], with_drawdown(DrawdownKind.TRAILING_INTRADAY, 100), FRESH).trades == 2
    locked = with_drawdown(DrawdownKind.TRAILING_INTRADAY, 100, lock=1_000)
    assert play([[300, -299]], locked, FRESH).outcome == EXPIRED
    assert play([[300, -300]], locked, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_balance_at_the_floor_breaches_unless_only_below_counts() -> None:
    rules = with_drawdown(DrawdownKind.STATIC, 100)
    assert play([[-100]], rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN
    below = replace(rules, breach=BreachOperator.BELOW)
    assert play([[-100]], below, FRESH).outcome == EXPIRED
    assert play([[-101]], below, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_the_daily_floor_starts_anew_each_day() -> None:
    rules = replace(BARE, daily_loss=DailyLoss(limit_minor=100))
    assert play([[-99], [-99], [-99]], rules, FRESH).outcome == EXPIRED
    end = play([[-99], [50, -150], [0]], rules, FRESH)
    assert (end.outcome, end.days, end.trades, end.closes) == (BREACHED_DAILY_LOSS, 2, 3, (-99, -199))


def test_the_drawdown_is_tested_before_the_daily_loss() -> None:
    rules = replace(with_drawdown(DrawdownKind.STATIC, 100), daily_loss=DailyLoss(limit_minor=100))
    assert play([[-100]], rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_pass_in_mid_day_ends_the_path() -> None:
    end = play([[50, 60, -500]], replace(BARE, target_minor=1_100), FRESH)
    assert (end.outcome, end.trades, end.final_pnl) == (PASSED, 2, 110)


def test_a_pass_waits_for_its_days() -> None:
    rules = replace(BARE, target_minor=1_100, minimum_days=MinimumDays(days=3))
    assert play([[200], [0], [0], [0]], rules, FRESH).days == 3
    assert play([[200], [0], [0]], rules, replace(FRESH, qualifying_days=2)).days == 1


def test_only_days_of_enough_profit_qualify_where_the_rule_says_so() -> None:
    rules = replace(BARE, target_minor=1_100, minimum_days=MinimumDays(days=2, min_profit_minor=50))
    end = play([[200], [49], [50, -20], [50]], rules, FRESH)
    assert (end.outcome, end.days) == (PASSED, 3)


def test_the_time_limit_counts_the_days_already_traded() -> None:
    rules = replace(BARE, time_limit_days=5)
    end = play([[1]] * 9, rules, replace(FRESH, days_traded=3))
    assert (end.outcome, end.days) == (EXPIRED, 2)


def test_the_first_loss_counts_in_the_largest_drawdown() -> None:
    assert play([[-70], [10]], BARE, FRESH).max_drawdown == 70


def test_whole_days_keep_their_trades_in_order() -> None:
    history = [[1, 2, 3], [4], [5, 6]]
    drawing = Drawing(history=history, model=Model.DAY, block_length=0, trades_per_day=None, seed=3)
    assert all(day in history for day in draw_days(drawing, 0, 40))


def test_long_blocks_follow_the_history_round_its_end() -> None:
    history = [[0, 1], [2], [3, 4, 5]]
    drawing = Drawing(history=history, model=Model.STATIONARY, block_length=1e6, trades_per_day=1, seed=4)
    flat = [day[0] for day in draw_days(drawing, 7, 30)]
    assert all(after == (before + 1) % 6 for before, after in pairwise(flat))
