"""Computations in Python that nobody wants any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from itertools import count

import pytest

from simulator import rare, stopping, within_a_day
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.spec import DailyLoss, DrawdownKind, MaxDrawdown, Model, Rules, Settings
from simulator.stopping import end_if_unwanted
from simulator.tally import Outcome
from tests.unit.simulator.samples import START, plan_of


def test_what_is_wanted_goes_on() -> None:
    end_if_unwanted()
    with stopping.once(lambda: False):
        end_if_unwanted()


def test_what_is_not_wanted_ends_and_what_comes_after_it_does_not() -> None:
    with pytest.raises(CancelledError), stopping.once(lambda: True):
        end_if_unwanted()
    end_if_unwanted()


def test_another_thread_is_asked_for_by_itself() -> None:
    ended = list[bool]()
    with stopping.once(lambda: True):
        other = threading.Thread(target=lambda: ended.append(end_if_unwanted() is None))
        other.start()
        other.join()
    assert ended == [True]


def plan() -> Plan:
    """Of a day that may lose its limit, by many draws."""
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=5_000),
        daily_loss=DailyLoss(limit_minor=2_000),
    )
    settings = Settings(model=Model.STATIONARY, trades_per_day=50, block_length=2.0)
    return plan_of(settings, days=[(120, -80, 35, -60, -150, 90, 10)], rules=rules)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of each look ahead of the guide as it begins."""
    begun, number, look = list[int](), count(1), within_a_day._backwards

    def counted(*about: object) -> Iterator[tuple[int, int, float]]:
        for each in look(*about):  # type: ignore[arg-type]
            begun.append(next(number))
            yield each

    monkeypatch.setattr(within_a_day, "_backwards", counted)
    return begun


def test_the_search_for_a_days_loss_ends_within_one_look_ahead(looks: list[int]) -> None:
    with Launcher(1, stop=lambda: len(looks) >= 5) as launcher, pytest.raises(CancelledError):
        rare.estimate(plan(), [Outcome.BREACHED_DAILY_LOSS], launcher)
    assert len(looks) == 5


def test_what_was_begun_for_nobody_is_found_for_the_next(looks: list[int]) -> None:
    wanted = plan()
    with Launcher(1, stop=lambda: True) as launcher, pytest.raises(CancelledError):
        rare.estimate(wanted, [Outcome.BREACHED_DAILY_LOSS], launcher)
    with Launcher(1) as launcher:
        [found] = rare.estimate(wanted, [Outcome.BREACHED_DAILY_LOSS], launcher)
    assert 0 < found.probability < 1
    assert len(looks) > 5
