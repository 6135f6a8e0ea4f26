"""Every sequence of a few trades over a few days: the reference's probabilities are those of closed forms.

Where there is no closed form, the whole sequence is looked at at once: the first day on which a sum and a maximum say
what the rule book finds out step by step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, product
from math import comb

import pytest

from simulator.spec import (
    DailyAction,
    DailyLoss,
    DrawdownKind,
    FloorAfterPayout,
    MinimumDays,
    Payout,
    Phase,
    Rules,
    Scaling,
)
from tests.reference.cases import BARE, FRESH, START, daily, drawdown
from tests.reference.rule_book import (
    BREACHED_DAILY_LOSS,
    BREACHED_MAX_DRAWDOWN,
    EXPIRED,
    PASSED,
    Deal,
    Ending,
    play,
)

FAIR = (1, -1)
DAYS = 9


def futures(pnls: Sequence[int], length: int) -> Iterator[tuple[int, ...]]:
    """Every sequence, each as likely as any other."""
    return product(pnls, repeat=length)


def share_of(ends: Sequence[Ending], says: Callable[[Ending], bool]) -> Fraction:
    """The probability of what `says` holds for."""
    return Fraction(sum(map(says, ends)), len(ends))


def outcomes(ends: Sequence[Ending]) -> list[Fraction]:
    """The probability of each outcome."""
    return [share_of(ends, lambda end, code=code: end.outcome == code) for code in range(4)]  # type: ignore[misc]


def one_trade_a_day(rules: Rules, length: int = DAYS, pnls: Sequence[int] = FAIR) -> list[Ending]:
    """The ends of all futures of one trade a day."""
    return [play(daily(future), rules, FRESH) for future in futures(pnls, length)]


def walks_to(place: int, steps: int) -> int:
    """Walks of so many steps of one up or down that end at this place."""
    ups, odd = divmod(steps + place, 2)
    return 0 if odd or not 0 <= ups <= steps else comb(steps, ups)


def stay_between(up: int, down: int, steps: int) -> Fraction:
    """P(a fair walk touches neither `up` nor `-down`), by images (Feller I, XIV.9)."""
    period, reach = 2 * (up + down), range(-steps - 1, steps + 2)
    inside = sum(
        walks_to(place + image * period, steps) - walks_to(2 * up - place + image * period, steps)
        for place in range(1 - down, up)
        for image in reach
    )
    return Fraction(inside, 2**steps)


@pytest.mark.parametrize("room", [1, 2, 3, 5])
def test_a_static_floor_is_touched_as_the_reflection_principle_says(room: int) -> None:
    rules = replace(BARE, max_drawdown=drawdown(DrawdownKind.STATIC, room))
    touched = sum(walks_to(-place, DAYS) * (1 if place == room else 2) for place in range(room, DAYS + 1))
    assert outcomes(one_trade_a_day(rules))[BREACHED_MAX_DRAWDOWN] == Fraction(touched, 2**DAYS)


@pytest.mark.parametrize(("target", "room"), [(1, 1), (2, 2), (3, 2), (2, 5)])
def test_target_and_floor_leave_what_the_two_barriers_leave(target: int, room: int) -> None:
    rules = replace(BARE, max_drawdown=drawdown(DrawdownKind.STATIC, room), target_minor=START + target)
    passed, breached, _, expired = outcomes(one_trade_a_day(rules))
    assert expired == stay_between(target, room, DAYS)
    assert passed + breached + expired == 1
    assert (passed == breached) == (target == room)


@pytest.mark.parametrize("kind", [DrawdownKind.TRAILING_END_OF_DAY, DrawdownKind.TRAILING_INTRADAY])
@pytest.mark.parametrize("allowance", [1, 2, 3, 4])
def test_a_trailing_floor_is_two_barriers_for_the_walk_from_a_half(kind: DrawdownKind, allowance: int) -> None:
    """The fall from the running peak is |walk + 1/2| - 1/2 in law (Lévy's theorem for the simple walk)."""
    rules = replace(BARE, max_drawdown=drawdown(kind, allowance))
    expired = outcomes(one_trade_a_day(rules))[EXPIRED]
    assert expired == stay_between(allowance, allowance + 1, DAYS)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_lock_at_the_floor_makes_a_trailing_floor_static(limit: int) -> None:
    static = replace(BARE, max_drawdown=drawdown(DrawdownKind.STATIC, limit))
    locked = replace(BARE, max_drawdown=drawdown(DrawdownKind.TRAILING_INTRADAY, limit, lock=START - limit))
    assert one_trade_a_day(locked) == one_trade_a_day(static)


def two_trades_a_day(rules: Rules, days: int = 5) -> list[Ending]:
    """The ends of all futures of two trades a day."""
    return [
        play([[Deal(a), Deal(b)] for a, b in future], rules, FRESH)
        for future in product(product(FAIR, repeat=2), repeat=days)
    ]


def test_days_lose_too_much_independently() -> None:
    rules = replace(BARE, daily_loss=DailyLoss(limit_minor=2))
    assert outcomes(two_trades_a_day(rules))[BREACHED_DAILY_LOSS] == 1 - Fraction(3, 4) ** 5


def test_days_are_paused_independently() -> None:
    """A limit of one unit stops a day after a first loss: of two trades, 1.5 are taken on average."""
    rules = replace(BARE, daily_loss=DailyLoss(limit_minor=1, action=DailyAction.PAUSE))
    ends = two_trades_a_day(rules)
    for paused in range(6):
        assert share_of(ends, lambda end, k=paused: end.paused_days == k) == Fraction(comb(5, paused), 2**5)  # type: ignore[misc]
    assert Fraction(sum(end.trades for end in ends), len(ends)) == Fraction(3, 2) * 5
    assert all(end.trades + end.skipped == 10 and end.outcome == EXPIRED for end in ends)


@pytest.mark.parametrize("needed", [1, 3, 6])
def test_qualifying_days_are_a_negative_binomial(needed: int) -> None:
    rules = replace(BARE, target_minor=1, minimum_days=MinimumDays(days=needed, min_profit_minor=1))
    ends = one_trade_a_day(rules)
    for day in range(needed, DAYS + 1):
        passed = share_of(ends, lambda end, day=day: end.outcome == PASSED and end.days == day)  # type: ignore[misc]
        assert passed == Fraction(comb(day - 1, needed - 1), 2**day)


@pytest.mark.parametrize("phases", [2, 3, 5])
def test_phases_of_one_day_are_passed_one_by_one(phases: int) -> None:
    one_day = Phase(target_minor=START + 1, time_limit_days=1)
    ends = one_trade_a_day(replace(BARE, phases=(one_day,) * phases), length=7)
    assert outcomes(ends)[PASSED] == Fraction(1, 2**phases)
    for phase in range(phases):
        assert share_of(ends, lambda end, phase=phase: end.phase >= phase) == Fraction(1, 2**phase)  # type: ignore[misc]


def test_each_phase_starts_afresh() -> None:
    """A phase of two barriers, each two units away, is passed or lost with equal chance, after 2, 4, ... days."""
    rules = replace(BARE, phases=(Phase(target_minor=START + 2),) * 2, max_drawdown=drawdown(DrawdownKind.STATIC, 2))
    ends = one_trade_a_day(rules, length=10)
    # A phase ends after each pair of days with probability 1/2: up or down with 1/4 each.
    for pair in range(2, 6):
        passed = share_of(ends, lambda end, pair=pair: end.outcome == PASSED and end.days == 2 * pair)  # type: ignore[misc]
        assert passed == Fraction(pair - 1, 16) * Fraction(1, 2) ** (pair - 2)


def test_a_pass_is_the_first_day_on_which_the_best_day_is_small_enough() -> None:
    rules = replace(BARE, target_minor=START + 4, best_day_ppm=400_000)
    seen: Counter[int] = Counter()
    for future in futures((3, 2, 1, -1), 6):
        sums, best = list(accumulate(future)), list(accumulate(future, max))
        held = zip(sums, best, strict=True)
        first = next((day for day, (made, top) in enumerate(held, start=1) if made >= 4 and 5 * top <= 2 * made), None)
        end = play(daily(future), rules, FRESH)
        assert (end.outcome, end.days) == ((EXPIRED, 6) if first is None else (PASSED, first))
        seen[end.outcome] += 1
    assert min(seen[PASSED], seen[EXPIRED]) > 1_000


def test_payouts_of_all_profit_take_the_maximum_of_the_walk() -> None:
    """P(max = m) = P(end = m) + P(end = m + 1), and each payout takes one unit (Feller I, III.7)."""
    rules = replace(BARE, payout=Payout(floor_minor=START))
    ends = one_trade_a_day(rules)
    for highest in range(DAYS + 1):
        paid = share_of(ends, lambda end, m=highest: end.paid == m == end.payouts)  # type: ignore[misc]
        assert paid == Fraction(walks_to(highest, DAYS) + walks_to(highest + 1, DAYS), 2**DAYS)
    assert Counter(end.final_pnl for end in ends) == {
        place: walks_to(place, DAYS) for place in range(-DAYS, DAYS + 1, 2)
    }


def test_a_static_floor_that_is_kept_trails_by_its_payouts() -> None:
    """What is withdrawn brings the balance nearer to the floor, as a peak would bring the floor nearer."""
    paying = replace(BARE, max_drawdown=drawdown(DrawdownKind.STATIC, 3), payout=Payout(floor_minor=START))
    trailing = replace(BARE, max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 3))
    assert breaches_and_gains(paying) == breaches_and_gains(trailing)


@pytest.mark.parametrize("kind", [DrawdownKind.STATIC, DrawdownKind.TRAILING_END_OF_DAY])
def test_a_floor_that_follows_is_as_if_nothing_was_withdrawn(kind: DrawdownKind) -> None:
    bare = replace(BARE, max_drawdown=drawdown(kind, 3))
    following = Payout(floor_minor=START, floor_after=FloorAfterPayout.FOLLOW)
    assert breaches_and_gains(replace(bare, payout=following)) == breaches_and_gains(bare)


def breaches_and_gains(rules: Rules) -> list[tuple[int, int, int]]:
    """How each future ends, when, and with what."""
    return [(end.outcome, end.days, end.final_pnl) for end in one_trade_a_day(rules)]


@pytest.mark.parametrize("gate", [2, 3])
def test_gates_and_caps_are_seen_in_the_whole_sequence(gate: int) -> None:
    """A payout each `gate` days or later, of at most two units, half of it the trader's."""
    rule = Payout(floor_minor=START, every_days=gate, caps_minor=(2,), splits_ppm=(500_000,))
    for future in futures((2, 1, -1), 6):
        balance, last, amounts = 0, 0, []
        for day, pnl in enumerate(future, start=1):
            balance += pnl
            if balance > 0 and day - last >= gate:
                amounts.append(min(balance, 2))
                balance, last = balance - amounts[-1], day
        end = play(daily(future), replace(BARE, payout=rule), FRESH)
        assert (end.payouts, end.paid, end.final_pnl) == (len(amounts), sum(a // 2 for a in amounts), sum(future))


def test_steps_of_scaling_are_winning_days_up_to_their_number() -> None:
    """Steps double, treble, ... a unit; three at most. So the k-th win makes min(k, 4) times a unit."""
    rules = replace(BARE, scaling=Scaling(every_days=1, min_profit_minor=1, step_ppm=1_000_000, max_steps=3))
    for future in futures(FAIR, 8):
        wins_before = accumulate((pnl > 0 for pnl in future), initial=0)
        made = sum(pnl * (1 + min(wins, 3)) for pnl, wins in zip(future, wins_before, strict=False))
        end = play(daily(future), rules, FRESH)
        steps = min(sum(pnl > 0 for pnl in future), 3)
        assert (end.final_pnl, end.closes[-1]) == (made, made + steps * START)


@pytest.mark.parametrize("kind", DrawdownKind)
def test_a_trade_with_excursions_is_three_trades(kind: DrawdownKind) -> None:
    """Up to the best, down to the worst, and to the close: the same breaches and closes at the floor, to the day."""
    rules = replace(BARE, max_drawdown=drawdown(kind, 3))
    shapes = [Deal(pnl, mae, mfe) for pnl, mae, mfe in [(1, -1, 2), (-1, -2, 0), (0, -1, 1), (2, 0, 2)]]
    seen: Counter[int] = Counter()
    for future in product(shapes, repeat=4):
        whole = play([[deal] for deal in future], rules, FRESH, excursions=True)
        parts = play([to_the_best_the_worst_and_the_close(deal) for deal in future], rules, FRESH)
        assert (whole.outcome, whole.days, whole.closes) == (parts.outcome, parts.days, parts.closes)
        seen[whole.outcome] += 1
    assert min(seen[BREACHED_MAX_DRAWDOWN], seen[EXPIRED]) > 10


def to_the_best_the_worst_and_the_close(deal: Deal) -> list[Deal]:
    """What a trade with excursions went through, in steps of one unit."""
    worst, best = deal.mae or 0, deal.mfe or 0
    return one_by_one(best) + one_by_one(worst - best) + one_by_one(deal.pnl - worst)


def one_by_one(move: int) -> list[Deal]:
    """A move in steps of one unit."""
    return [Deal(1 if move > 0 else -1)] * abs(move)
