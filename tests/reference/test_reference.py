"""The reference's floors, targets and draws, against published vectors and cases worked by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from simulator.spec import BreachOperator, DailyAction, DailyAnchor, DailyLoss, DrawdownKind, MinimumDays, Model, Rules
from tests.reference.cases import BARE, FRESH, days, drawdown, drawdown_share
from tests.reference.paths import MASK, Drawing, draw_days, threefry
from tests.reference.rule_book import (
    BREACHED_DAILY_LOSS,
    BREACHED_MAX_DRAWDOWN,
    EXPIRED,
    PASSED,
    Deal,
    excursions_used,
    play,
)

STATIC, END_OF_DAY, INTRADAY = (
    DrawdownKind.STATIC,
    DrawdownKind.TRAILING_END_OF_DAY,
    DrawdownKind.TRAILING_INTRADAY,
)
PAUSE = DailyLoss(limit_minor=100, action=DailyAction.PAUSE)


def with_drawdown(kind: DrawdownKind, allowance: int, lock: int | None = None) -> Rules:
    return replace(BARE, max_drawdown=drawdown(kind, allowance, lock))


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
    end = play(days([500], [-599], [-1]), with_drawdown(STATIC, 100), FRESH)
    assert (end.outcome, end.days, end.final_pnl, end.max_drawdown) == (BREACHED_MAX_DRAWDOWN, 3, -100, 600)


def test_an_end_of_day_floor_trails_only_overnight() -> None:
    rules = with_drawdown(END_OF_DAY, 100)
    assert play(days([300, -390]), rules, FRESH).outcome == EXPIRED
    assert play(days([300], [-100]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_an_intraday_floor_trails_at_once_and_stops_at_its_lock() -> None:
    assert play(days([300, -100]), with_drawdown(INTRADAY, 100), FRESH).trades == 2
    rules = with_drawdown(INTRADAY, 100, lock=1_000)
    assert play(days([300, -299]), rules, FRESH).outcome == EXPIRED
    assert play(days([300, -300]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_trailing_floor_starts_from_the_high_water_mark() -> None:
    account = replace(FRESH, high_water_mark_minor=1_050)
    assert play(days([-49]), with_drawdown(END_OF_DAY, 100), account).outcome == EXPIRED
    assert play(days([-50]), with_drawdown(END_OF_DAY, 100), account).outcome == BREACHED_MAX_DRAWDOWN


def test_a_floor_that_trails_equity_starts_from_the_equity_if_that_is_higher() -> None:
    account = replace(FRESH, equity_minor=1_050)
    assert play(days([-49]), with_drawdown(INTRADAY, 100), account).outcome == EXPIRED
    assert play(days([-50]), with_drawdown(INTRADAY, 100), account).outcome == BREACHED_MAX_DRAWDOWN
    assert play(days([-50]), with_drawdown(END_OF_DAY, 100), account).outcome == EXPIRED
    marked = replace(account, high_water_mark_minor=1_060)
    assert play(days([-40]), with_drawdown(INTRADAY, 100), marked).outcome == BREACHED_MAX_DRAWDOWN


@pytest.mark.parametrize("kind", [END_OF_DAY, INTRADAY])
def test_a_share_of_the_peak_is_compared_exactly(kind: DrawdownKind) -> None:
    """3.33% below a peak of 1,001 is 967.6667: a balance of 967 breaches it, one of 968 does not."""
    rules = replace(BARE, max_drawdown=drawdown_share(kind, 33_300))
    assert play(days([1], [-33]), rules, FRESH).outcome == EXPIRED
    assert play(days([1], [-34]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_share_of_the_peak_is_locked_too() -> None:
    """10% below 1,300 is 1,170, above the lock at 1,010."""
    rules = replace(BARE, max_drawdown=drawdown_share(END_OF_DAY, 100_000, lock=1_010))
    assert play(days([300], [-289]), rules, FRESH).outcome == EXPIRED
    assert play(days([300], [-290]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_balance_at_the_floor_breaches_unless_only_below_counts() -> None:
    rules = with_drawdown(STATIC, 100)
    assert play(days([-100]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN
    below = replace(rules, breach=BreachOperator.BELOW)
    assert play(days([-100]), below, FRESH).outcome == EXPIRED
    assert play(days([-101]), below, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_the_daily_floor_starts_anew_each_day() -> None:
    rules = replace(BARE, daily_loss=DailyLoss(limit_minor=100))
    assert play(days([-99], [-99], [-99]), rules, FRESH).outcome == EXPIRED
    end = play(days([-99], [50, -150], [0]), rules, FRESH)
    assert (end.outcome, end.days, end.trades, end.closes) == (BREACHED_DAILY_LOSS, 2, 3, (-99, -199))


def test_a_share_of_the_anchor_moves_with_it() -> None:
    """10% of 1,000 is 100; of 1,200, 120; of 1,015, 101.5."""
    rules = replace(BARE, daily_loss=DailyLoss(limit_minor=0, anchor_share_ppm=100_000))
    assert play(days([-100]), rules, FRESH).outcome == BREACHED_DAILY_LOSS
    assert play(days([200], [-119]), rules, FRESH).outcome == EXPIRED
    assert play(days([200], [-120]), rules, FRESH).outcome == BREACHED_DAILY_LOSS
    assert play(days([15], [-101]), rules, FRESH).outcome == EXPIRED
    assert play(days([15], [-102]), rules, FRESH).outcome == BREACHED_DAILY_LOSS


def test_equity_raises_the_anchor_of_the_first_day_alone() -> None:
    account = replace(FRESH, equity_minor=1_040)
    higher = replace(BARE, daily_loss=DailyLoss(limit_minor=100, anchor=DailyAnchor.HIGHER_OF_BALANCE_AND_EQUITY))
    prior = replace(BARE, daily_loss=DailyLoss(limit_minor=100))
    assert play(days([-60]), higher, account).outcome == BREACHED_DAILY_LOSS
    assert play(days([-60]), prior, account).outcome == EXPIRED
    assert play(days([-59], [-99]), higher, account).outcome == EXPIRED
    assert play(days([-99]), higher, replace(FRESH, equity_minor=900)).outcome == EXPIRED


def test_the_drawdown_is_tested_before_the_daily_loss() -> None:
    rules = replace(with_drawdown(STATIC, 100), daily_loss=DailyLoss(limit_minor=100))
    assert play(days([-100]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN
    higher = replace(rules, daily_loss=DailyLoss(limit_minor=50))
    assert play(days([-100]), higher, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_pause_skips_the_rest_of_the_day_and_no_more() -> None:
    end = play(days([10, -110, 500, -7], [1, 2], [-101]), replace(BARE, daily_loss=PAUSE), FRESH)
    assert (end.outcome, end.trades, end.skipped, end.paused_days) == (EXPIRED, 5, 2, 2)
    assert end.closes == (-100, -97, -198)


def test_a_breach_of_the_drawdown_ends_what_a_pause_would_not() -> None:
    rules = replace(with_drawdown(STATIC, 150), daily_loss=PAUSE)
    end = play(days([-100, -50], [-50, 0]), rules, FRESH)
    assert (end.outcome, end.days, end.trades, end.skipped) == (BREACHED_MAX_DRAWDOWN, 2, 2, 1)


def test_a_pass_in_mid_day_ends_the_path() -> None:
    end = play(days([50, 60, -500]), replace(BARE, target_minor=1_100), FRESH)
    assert (end.outcome, end.trades, end.skipped, end.final_pnl) == (PASSED, 2, 0, 110)


def test_a_pass_waits_for_its_days() -> None:
    rules = replace(BARE, target_minor=1_100, minimum_days=MinimumDays(days=3))
    assert play(days([200], [0], [0], [0]), rules, FRESH).days == 3
    assert play(days([200], [0], [0]), rules, replace(FRESH, qualifying_days=2)).days == 1


def test_a_trade_that_pauses_the_day_can_still_pass() -> None:
    """The second day is the one that was missing, and counts from its first trade on. What ends it is the pass."""
    rules = replace(BARE, target_minor=1_100, minimum_days=MinimumDays(days=2), daily_loss=PAUSE)
    end = play(days([300], [-150, 0]), rules, FRESH)
    assert (end.outcome, end.days, end.trades, end.paused_days) == (PASSED, 2, 2, 0)


def test_only_days_of_enough_profit_qualify_where_the_rule_says_so() -> None:
    rules = replace(BARE, target_minor=1_100, minimum_days=MinimumDays(days=2, min_profit_minor=50))
    end = play(days([200], [49], [50, -20], [50]), rules, FRESH)
    assert (end.outcome, end.days, end.trades) == (PASSED, 3, 3)
    end = play(days([200], [49], [70, -40], [50]), replace(rules, target_minor=1_320), FRESH)
    assert (end.outcome, end.days) == (PASSED, 4)


def test_the_first_loss_counts_in_the_largest_drawdown() -> None:
    assert play(days([-70], [10]), BARE, FRESH).max_drawdown == 70


def within(low: int, pnl: int, high: int) -> list[list[Deal]]:
    """One day of one trade."""
    return [[Deal(pnl, low, high)]]


def test_a_trade_breaches_by_its_worst_open_loss_and_is_closed_there() -> None:
    rules = with_drawdown(STATIC, 100)
    end = play(within(-170, 60, 90), rules, FRESH, excursions=True)
    assert (end.outcome, end.final_pnl, end.max_drawdown) == (BREACHED_MAX_DRAWDOWN, -100, 100)
    below = replace(rules, breach=BreachOperator.BELOW)
    assert play(within(-170, 60, 90), below, FRESH, excursions=True).final_pnl == -101
    assert play(within(-100, 60, 90), below, FRESH, excursions=True).outcome == EXPIRED
    assert play(within(-170, 60, 90), rules, FRESH).outcome == EXPIRED


def test_a_trade_closed_at_a_floor_between_two_units_is_closed_below_it() -> None:
    """10% below 1,005 is 904.5, reached at 904 under either operator."""
    rules = replace(BARE, max_drawdown=drawdown_share(END_OF_DAY, 100_000))
    for breach in BreachOperator:
        end = play(days([5]) + within(-200, 0, 0), replace(rules, breach=breach), FRESH)
        assert end.outcome == EXPIRED
        trades = [[Deal(5, 0, 5)], *within(-200, 0, 0)]
        assert play(trades, replace(rules, breach=breach), FRESH, excursions=True).closes == (5, -96)


def test_an_intraday_peak_is_the_best_open_profit_and_comes_first() -> None:
    rules = with_drawdown(INTRADAY, 100)
    end = play(within(-10, 0, 95), rules, FRESH, excursions=True)
    assert (end.outcome, end.final_pnl) == (BREACHED_MAX_DRAWDOWN, -5)
    assert play(within(-4, 0, 95), rules, FRESH, excursions=True).outcome == EXPIRED
    assert play(within(0, 60, 99), rules, FRESH, excursions=True).final_pnl == 60
    end = play(within(0, 60, 150), rules, FRESH, excursions=True)
    assert (end.outcome, end.final_pnl) == (BREACHED_MAX_DRAWDOWN, 50)


def test_of_two_floors_within_a_trade_the_higher_one_counts() -> None:
    rules = replace(with_drawdown(STATIC, 100), daily_loss=DailyLoss(limit_minor=60))
    end = play(within(-200, -200, 0), rules, FRESH, excursions=True)
    assert (end.outcome, end.final_pnl) == (BREACHED_DAILY_LOSS, -60)
    same = replace(rules, daily_loss=DailyLoss(limit_minor=100))
    assert play(within(-200, -200, 0), same, FRESH, excursions=True).outcome == BREACHED_MAX_DRAWDOWN
    wider = replace(rules, daily_loss=DailyLoss(limit_minor=101))
    assert play(within(-200, -200, 0), wider, FRESH, excursions=True).outcome == BREACHED_MAX_DRAWDOWN


def test_of_two_floors_between_the_same_units_the_drawdown_counts() -> None:
    """5% below 1,005 is 954.75, above the other floor at 954; both are breached at 954, neither at 955."""
    rules = replace(with_drawdown(STATIC, 46), daily_loss=DailyLoss(limit_minor=0, anchor_share_ppm=50_000))
    account = replace(FRESH, balance_minor=1_005)
    end = play(within(-200, 0, 0), rules, account, excursions=True)
    assert (end.outcome, end.final_pnl) == (BREACHED_MAX_DRAWDOWN, -51)
    below = replace(rules, breach=BreachOperator.BELOW)
    end = play(within(-200, 0, 0), below, account, excursions=True)
    assert (end.outcome, end.final_pnl) == (BREACHED_DAILY_LOSS, -51)


def test_a_pause_within_a_trade_saves_the_account() -> None:
    rules = replace(with_drawdown(STATIC, 200), daily_loss=PAUSE)
    end = play([[Deal(-300, -300, 0), Deal(9, 0, 9)]], rules, FRESH, excursions=True)
    assert (end.outcome, end.final_pnl, end.paused_days, end.skipped) == (EXPIRED, -100, 1, 1)
    assert play([[Deal(-300, -300, 0)]], rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_excursions_are_used_where_every_trade_tells_them() -> None:
    known, no_mfe, bare = [[Deal(1, 0, 1)]], [[Deal(1, 0)]], [[Deal(1, 0, 1), Deal(1)]]
    assert excursions_used(known, with_drawdown(INTRADAY, 1), wanted=True)
    assert not excursions_used(known, with_drawdown(INTRADAY, 1), wanted=False)
    assert not excursions_used(no_mfe, with_drawdown(INTRADAY, 1), wanted=True)
    assert excursions_used(no_mfe, with_drawdown(END_OF_DAY, 1), wanted=True)
    assert not excursions_used(bare, BARE, wanted=True)


def test_whole_days_keep_their_trades_in_order() -> None:
    history = days([1, 2, 3], [4], [5, 6])
    drawing = Drawing(history=history, model=Model.DAY, block_length=0, trades_per_day=None, seed=3)
    assert all(day in history for day in draw_days(drawing, 0, 40))


def test_long_blocks_follow_the_history_round_its_end() -> None:
    history = days([0, 1], [2], [3, 4, 5])
    drawing = Drawing(history=history, model=Model.STATIONARY, block_length=1e6, trades_per_day=1, seed=4)
    flat = [day[0].pnl for day in draw_days(drawing, 7, 30)]
    assert all(after == (before + 1) % 6 for before, after in pairwise(flat))


def test_equal_blocks_follow_the_history_for_their_length() -> None:
    history = days([0, 1], [2], [3, 4, 5])
    drawing = Drawing(history=history, model=Model.CIRCULAR, block_length=4, trades_per_day=1, seed=4)
    flat = [day[0].pnl for day in draw_days(drawing, 7, 400)]
    follows = [after == (before + 1) % 6 for before, after in pairwise(flat)]
    assert all(joined for step, joined in enumerate(follows, start=1) if step % 4)
    assert set(flat[::4]) == set(range(6))
    assert not all(follows)
