"""The reference's payouts and scaling, against cases worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.spec import DailyLoss, DrawdownKind, FloorAfterPayout, MinimumDays, Payout, Rules, Scaling
from tests.reference.cases import BARE, FRESH, START, daily, days, drawdown, drawdown_share
from tests.reference.rule_book import BREACHED_DAILY_LOSS, BREACHED_MAX_DRAWDOWN, EXPIRED, Deal, Ending, play

ALL = Payout(floor_minor=START)


def paying(**rule: object) -> Rules:
    return replace(BARE, payout=replace(ALL, **rule))  # type: ignore[arg-type]


def paid(end: Ending) -> tuple[int, int]:
    return end.payouts, end.paid


def test_without_gates_each_day_pays_what_is_above_the_floor_balance() -> None:
    end = play(daily([30, -10, 15, 7]), paying(), FRESH)
    assert (paid(end), end.final_pnl, end.max_drawdown) == ((3, 42), 42, 10)
    assert end.closes == (0, -10, 0, 0)


def test_a_payout_leaves_the_floor_balance() -> None:
    end = play(daily([30, 30, 1]), paying(floor_minor=START + 50), FRESH)
    assert (paid(end), end.closes) == ((2, 11), (30, 50, 50))


def test_a_payout_is_at_most_its_share_of_the_profit_rounded_down() -> None:
    end = play(daily([101, 0]), paying(profit_share_ppm=500_000), FRESH)
    assert (paid(end), end.closes) == ((2, 75), (51, 26))


def test_nothing_is_paid_below_the_least_amount_or_a_whole_unit() -> None:
    assert paid(play(daily([29, 1]), paying(least_minor=30), FRESH)) == (1, 30)
    assert paid(play(daily([1]), paying(profit_share_ppm=500_000), FRESH)) == (0, 0)
    assert paid(play(daily([20]), paying(caps_minor=(19,), least_minor=20), FRESH)) == (0, 0)


def test_caps_and_splits_climb_a_ladder() -> None:
    """Of 10, 10, 20 and 20 the trader gets 80%, 90%, 90%, 90%."""
    end = play(daily([100, 0, 0, 0]), paying(caps_minor=(10, 10, 20), splits_ppm=(800_000, 900_000)), FRESH)
    assert (paid(end), end.closes) == ((4, 8 + 9 + 18 + 18), (90, 80, 60, 40))
    later = play(daily([100]), paying(caps_minor=(10, 10, 20)), replace(FRESH, payouts=2))
    assert paid(later) == (1, 20)


def test_a_split_is_rounded_down() -> None:
    assert play(daily([7, 7]), paying(splits_ppm=(333_333,)), FRESH).paid == 4


def test_days_between_payouts() -> None:
    assert play(daily([5] * 7), paying(every_days=3), FRESH).closes == (5, 10, 0, 5, 10, 0, 5)
    assert play(daily([5, 5]), paying(every_days=3), replace(FRESH, days_since_payout=1)).payouts == 1


def test_qualifying_days_between_payouts() -> None:
    rule = MinimumDays(days=2, min_profit_minor=10)
    assert play(daily([10, 9, 10, 30, 11]), paying(minimum_days=rule), FRESH).closes == (10, 19, 0, 30, 0)
    assert play(daily([10]), paying(minimum_days=rule), replace(FRESH, qualifying_days=1)).payouts == 1


def test_the_best_day_since_the_last_payout_holds_the_next_one_back() -> None:
    """20 of 20 is too much for a half, 20 of 40 is not; then it starts anew."""
    end = play(daily([20, 20, 15, 10, 5]), paying(best_day_ppm=500_000), FRESH)
    assert end.closes == (20, 0, 15, 25, 0)


def test_consistency_looks_at_what_was_made_since_the_last_payout() -> None:
    """The balance is 100 over the start, yet only 30 were made since; the account may say so."""
    account = replace(FRESH, balance_minor=1_100, high_water_mark_minor=1_100, best_day_minor=20)
    rules = paying(best_day_ppm=500_000)
    assert paid(play(daily([1]), rules, account)) == (1, 101)
    assert paid(play(daily([1]), rules, replace(account, profit_since_payout_minor=30))) == (0, 0)
    assert paid(play(daily([10]), rules, replace(account, profit_since_payout_minor=30))) == (1, 110)


def test_the_day_after_a_payout_is_counted_from_what_is_left() -> None:
    rules = replace(paying(), daily_loss=DailyLoss(limit_minor=50))
    assert play(daily([200, -49]), rules, FRESH).outcome == EXPIRED
    assert play(daily([200, -50]), rules, FRESH).outcome == BREACHED_DAILY_LOSS


@pytest.mark.parametrize(
    ("kind", "after", "floor"),
    [
        (DrawdownKind.STATIC, FloorAfterPayout.KEEP, -100),
        (DrawdownKind.STATIC, FloorAfterPayout.FOLLOW, -140),
        (DrawdownKind.STATIC, FloorAfterPayout.START, 0),
        (DrawdownKind.TRAILING_END_OF_DAY, FloorAfterPayout.KEEP, -20),
        (DrawdownKind.TRAILING_END_OF_DAY, FloorAfterPayout.FOLLOW, -60),
        (DrawdownKind.TRAILING_END_OF_DAY, FloorAfterPayout.START, 0),
        (DrawdownKind.TRAILING_INTRADAY, FloorAfterPayout.KEEP, -20),
        (DrawdownKind.TRAILING_INTRADAY, FloorAfterPayout.FOLLOW, -60),
        (DrawdownKind.TRAILING_INTRADAY, FloorAfterPayout.START, 0),
    ],
)
def test_the_floor_after_a_payout(kind: DrawdownKind, after: FloorAfterPayout, floor: int) -> None:
    """A day makes 80, of which 40 are withdrawn; the allowance is 100."""
    rules = replace(paying(floor_after=after, caps_minor=(40, 1), least_minor=2), max_drawdown=drawdown(kind, 100))
    to_floor = floor - 40
    assert play(daily([80, to_floor + 1]), rules, FRESH).outcome == EXPIRED
    assert play(daily([80, to_floor]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_share_of_the_peak_follows_a_payout_by_its_peak() -> None:
    """The peak of 1,080 falls to 1,040; 10% below it is 936."""
    rules = replace(
        paying(floor_after=FloorAfterPayout.FOLLOW, caps_minor=(40, 1), least_minor=2),
        max_drawdown=drawdown_share(DrawdownKind.TRAILING_END_OF_DAY, 100_000),
    )
    assert play(daily([80, -103]), rules, FRESH).outcome == EXPIRED
    assert play(daily([80, -104]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_floor_at_the_start_no_longer_trails() -> None:
    rules = replace(
        paying(floor_after=FloorAfterPayout.START, floor_minor=START + 10, max_payouts=2, caps_minor=(1, 1)),
        max_drawdown=drawdown(DrawdownKind.TRAILING_INTRADAY, 100),
    )
    assert play(days([20], [500, -518]), rules, FRESH).outcome == EXPIRED
    assert play(days([20], [500, -519]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_a_payout_of_the_past_has_left_its_floor() -> None:
    rules = replace(
        paying(floor_after=FloorAfterPayout.START), max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 100)
    )
    account = replace(FRESH, balance_minor=1_150, high_water_mark_minor=1_150)
    assert play(daily([-149]), rules, account).outcome == BREACHED_MAX_DRAWDOWN
    assert play(daily([-149]), rules, replace(account, payouts=1)).outcome == EXPIRED
    assert play(daily([-150]), rules, replace(account, payouts=1)).outcome == BREACHED_MAX_DRAWDOWN


@pytest.mark.parametrize(
    ("kind", "floor_after", "falls"),
    [
        (DrawdownKind.STATIC, FloorAfterPayout.FOLLOW, 140),
        (DrawdownKind.STATIC, FloorAfterPayout.KEEP, 100),
        (DrawdownKind.TRAILING_END_OF_DAY, FloorAfterPayout.FOLLOW, 100),
    ],
)
def test_payouts_of_the_past_have_lowered_a_static_floor_that_follows(
    kind: DrawdownKind, floor_after: FloorAfterPayout, falls: int
) -> None:
    """A peak is given as the payouts have left it."""
    rules = replace(paying(floor_after=floor_after), max_drawdown=drawdown(kind, 100))
    account = replace(FRESH, payouts=2, withdrawn_minor=40)
    assert play(daily([1 - falls]), rules, account).outcome == EXPIRED
    assert play(daily([-falls]), rules, account).outcome == BREACHED_MAX_DRAWDOWN


def test_a_payout_below_the_floor_breaches_at_the_next_trade() -> None:
    rules = replace(paying(), max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 100))
    end = play(days([150], [1, 99]), rules, FRESH)
    assert (end.outcome, end.days, end.trades) == (BREACHED_MAX_DRAWDOWN, 2, 2)
    saved = play(days([150], [51, 99]), rules, FRESH)
    assert saved.outcome == EXPIRED


def test_a_trade_begun_below_the_floor_is_closed_where_it_began() -> None:
    """After a payout the balance is 1,000 and the floor 1,050: equity never was there."""
    rules = replace(paying(), max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 100))
    end = play([[Deal(150, 0, 150)], [Deal(60, -10, 70)]], rules, FRESH, excursions=True)
    assert (end.outcome, end.trades, end.final_pnl) == (BREACHED_MAX_DRAWDOWN, 2, 150)


def test_the_last_payout_ends_the_account_well() -> None:
    end = play(daily([10, -5, 10, 10]), paying(max_payouts=2), FRESH)
    assert (end.outcome, end.days, paid(end)) == (EXPIRED, 3, (2, 15))
    assert play(daily([10, 10]), paying(max_payouts=2), replace(FRESH, payouts=1)).days == 1


GROWTH = Scaling(every_days=2, min_profit_minor=50, step_ppm=250_000, max_steps=2)


def growing(**rule: object) -> Rules:
    return replace(BARE, scaling=replace(GROWTH, **rule))  # type: ignore[arg-type]


def test_a_period_that_made_enough_makes_the_account_and_its_trades_grow() -> None:
    end = play(daily([25, 25, 100, 0, 7]), growing(), FRESH)
    assert end.closes == (25, 50 + 250, 300 + 125, 425 + 250, 675 + 7 + 2 * 2)
    assert end.final_pnl == 25 + 25 + 125 + 11


def test_a_period_that_made_too_little_does_not() -> None:
    assert play(daily([25, 24, 1, 100]), growing(), FRESH).closes == (25, 49, 50, 400)
    assert play(daily([100, -51, 1]), growing(), FRESH).closes == (100, 49, 50)


def test_there_are_no_more_steps_than_the_rule_has() -> None:
    assert play(daily([100] * 4), growing(every_days=1, max_steps=2), FRESH).closes == (350, 725, 875, 1025)


@pytest.mark.parametrize(("pnl", "grown"), [(2, 2), (6, 8), (1, 1), (3, 4), (-2, -2), (-6, -8), (10, 12), (-5, -6)])
def test_sizes_are_rounded_half_to_even(pnl: int, grown: int) -> None:
    """A quarter of 2 is 0.5, of 6 is 1.5, of 10 is 2.5."""
    assert play(daily([50, pnl]), growing(every_days=1), FRESH).final_pnl == 50 + grown


def test_the_deposit_is_no_profit_and_no_rise() -> None:
    end = play(daily([50, -10, -20]), growing(every_days=1), FRESH)
    assert (end.final_pnl, end.max_drawdown) == (50 - 12 - 25, 37)


def test_withdrawals_count_for_the_step() -> None:
    rules = replace(growing(), payout=ALL)
    end = play(daily([30, 20, 40]), rules, FRESH)
    assert (end.closes, paid(end), end.final_pnl) == ((0, 250, 250), (3, 100), 100)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [(DrawdownKind.STATIC, 180), (DrawdownKind.TRAILING_END_OF_DAY, 100), (DrawdownKind.TRAILING_INTRADAY, 100)],
)
def test_the_floor_grows_with_the_account(kind: DrawdownKind, loss: int) -> None:
    """B0 grows from 1,000 to 1,250, the balance from 1,100 to 1,350, the allowance from 100 to 125.

    So a static floor is 225 below, a trailing one 125: losses of 180 and of 100, a quarter more.
    """
    rules = replace(growing(every_days=1, max_steps=1), max_drawdown=drawdown(kind, 100))
    assert play(daily([100, 1 - loss]), rules, FRESH).outcome == EXPIRED
    assert play(daily([100, -loss]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_the_lock_and_the_floor_balance_grow_too() -> None:
    """The lock rises from 1,000 to 1,250; a payout leaves 1,250 and not 1,000."""
    locked = drawdown(DrawdownKind.TRAILING_END_OF_DAY, 100, lock=START)
    rules = replace(growing(every_days=1, max_steps=1), max_drawdown=locked)
    assert play(daily([200, -159]), rules, FRESH).outcome == EXPIRED
    assert play(daily([200, -160]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN
    paying_late = replace(growing(every_days=1, max_steps=1), payout=replace(ALL, every_days=2))
    assert play(daily([200, 0]), paying_late, FRESH).closes == (450, 250)


def test_a_floor_at_the_start_grows_with_it() -> None:
    rules = replace(
        growing(max_steps=1),
        payout=replace(ALL, floor_after=FloorAfterPayout.START, floor_minor=START + 40, max_payouts=9),
        max_drawdown=drawdown(DrawdownKind.STATIC, 500),
    )
    assert play(daily([50, 0, -31]), rules, FRESH).outcome == EXPIRED
    assert play(daily([50, 0, -32]), rules, FRESH).outcome == BREACHED_MAX_DRAWDOWN


def test_the_daily_limit_grows_with_the_account() -> None:
    rules = replace(growing(every_days=1, max_steps=1), daily_loss=DailyLoss(limit_minor=100))
    assert play(daily([50, -99]), rules, FRESH).outcome == EXPIRED
    assert play(daily([50, -100]), rules, FRESH).outcome == BREACHED_DAILY_LOSS


def test_worst_and_best_open_profits_grow_too() -> None:
    rules = replace(growing(every_days=1, max_steps=1), daily_loss=DailyLoss(limit_minor=100))
    calm, rough = Deal(0, -99, 0), Deal(0, -100, 0)
    first = [Deal(50, 0, 50)]
    assert play([first, [calm]], rules, FRESH, excursions=True).outcome == EXPIRED
    end = play([first, [rough]], rules, FRESH, excursions=True)
    assert (end.outcome, end.final_pnl) == (BREACHED_DAILY_LOSS, 50 - 125)
