"""Input at the edge: either an error that names the field and the remedy, or a right result with a warning.

Each case goes the whole way, from the message to the result, on a few paths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2, settings_pb2
from montecarlo.v1.result_pb2 import SimulationResult
from simulator import codec, crew, engine, result
from simulator.errors import AmountsTooLarge, InvalidInput
from simulator.spec import MAX_TRADES

Input = engine_pb2.SimulateInput
OPEN = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
START: Final = 1_000.0
RESAMPLING = ("IID", "DAY", "STATIONARY", "CIRCULAR")
FITTED = ("NORMAL", "STUDENT_T")
CIRCULAR, DAY = settings_pb2.RESAMPLING_MODEL_CIRCULAR, settings_pb2.RESAMPLING_MODEL_DAY
NEVER = settings_pb2.RARE_EVENTS_OFF
UNKNOWN: Any = 99
MIXED = ("10", "-5.25", "3", "-12.5", "7", "0", "21", "-3", "1.75", "-9")


def given(pnls: Sequence[str], *, model: str | int = "IID", days: int | None = None, **settings: Any) -> Input:
    """Trades on so many days (None: one a day), under a floor, a daily limit and a target."""
    number: Any = settings_pb2.ResamplingModel.Value(f"RESAMPLING_MODEL_{model}") if isinstance(model, str) else model
    message = Input(
        rules=rules_pb2.AccountRules(
            starting_balance=f"{START}",
            max_drawdown=rules_pb2.MaxDrawdown(kind=rules_pb2.DRAWDOWN_KIND_STATIC, amount="100"),
            daily_loss=rules_pb2.DailyLoss(amount="80"),
            profit_target=rules_pb2.ProfitTarget(amount="200"),
        ),
        settings=settings_pb2.SimulationSettings(paths=512, horizon_days=4, seed=1, model=number, rare_events=NEVER),
    )
    message.settings.MergeFrom(settings_pb2.SimulationSettings(**settings))
    for place, pnl in enumerate(pnls):
        trade = message.trades.add(pnl=pnl)
        trade.closed_at.FromDatetime(OPEN + timedelta(days=place % (days or len(pnls)), seconds=place))
    return message


def simulated(message: Input) -> SimulationResult:
    plan = engine.plan(codec.decode(message), codec.digest(message))
    return result.build(plan, crew.simulate(plan), 0.0)


def refused(message: Input) -> dict[str, str]:
    """What is said of each bad field."""
    with pytest.raises(InvalidInput) as caught:
        engine.plan(codec.decode(message), codec.digest(message))
    found = {each.field: each.description for each in caught.value.violations}
    assert all(description for description in found.values())
    return found


def codes(found: SimulationResult) -> set[str]:
    return {warning.code for warning in found.warnings}


def outcomes(found: SimulationResult) -> dict[str, float]:
    names = ("passed", "breached_max_drawdown", "breached_daily_loss", "expired")
    return {name: getattr(found.outcomes, name).value for name in names if getattr(found.outcomes, name).value}


def mean_of(found: SimulationResult) -> float:
    return found.final_pnl.mean.value


# Histories that are too poor for a distribution, and fine to resample.


def test_no_trades_are_refused() -> None:
    assert "give at least one" in refused(given([]))["trades"]


@pytest.mark.parametrize("model", RESAMPLING)
def test_one_trade_is_all_that_can_come(model: str) -> None:
    found = simulated(given(["-5.25"], model=model))
    assert outcomes(found) == {"expired": 1.0}
    assert (mean_of(found), found.final_pnl.mean.std_error) == (4 * -5.25, 0.0)
    assert {"SHORT_HISTORY", "NO_VARIATION"} <= codes(found)


@pytest.mark.parametrize("model", RESAMPLING)
@pytest.mark.parametrize(
    ("pnl", "outcome", "days"),
    [("60", "passed", 4), ("-40", "breached_max_drawdown", 3), ("-80", "breached_daily_loss", 1)],
)
def test_trades_that_are_all_alike_end_all_paths_alike(model: str, pnl: str, outcome: str, days: int) -> None:
    found = simulated(given([pnl] * 100, model=model))
    assert outcomes(found) == {outcome: 1.0}
    assert "NO_VARIATION" in codes(found)
    assert found.block_length == (0.0 if model == "DAY" else 1.0)
    assert mean_of(found) == float(pnl) * days


@pytest.mark.parametrize("model", RESAMPLING)
def test_trades_of_nothing_move_nothing_and_say_so(model: str) -> None:
    found = simulated(given(["0.00"] * 80, model=model))
    assert outcomes(found) == {"expired": 1.0}
    assert mean_of(found) == 0
    assert {"NO_VARIATION", "NO_LOSING_TRADE"} <= codes(found)


@pytest.mark.parametrize("pnls", [["5"], ["5"] * 30, ["0"] * 30], ids=["one", "alike", "zero"])
@pytest.mark.parametrize("model", FITTED)
def test_what_does_not_vary_cannot_be_fitted(model: str, pnls: list[str]) -> None:
    found = refused(given(pnls, model=model))
    assert set(found) == {"settings.model"}
    assert "use STATIONARY or IID" in found["settings.model"]


@pytest.mark.parametrize(
    ("pnls", "remedy"),
    [
        (["5", "-5"] * 9, "takes 3"),
        (["5"] * 30 + ["-200", "100", "40", "9"], "two in three"),
        ([f"{sign}{10 ** (power / 4):.2f}" for power in range(24) for sign in ("", "-")], "no finite variance"),
    ],
    ids=["two values", "mostly one value", "tails too heavy"],
)
def test_a_student_t_that_cannot_be_is_refused_with_what_to_use(pnls: list[str], remedy: str) -> None:
    found = refused(given(pnls, model="STUDENT_T"))
    assert remedy in found["settings.model"]
    assert "use STATIONARY" in found["settings.model"]


def test_two_trades_are_enough_for_a_normal() -> None:
    found = simulated(given(["5", "-5"] * 9, model="NORMAL"))
    assert abs(mean_of(found)) < 4 * found.final_pnl.mean.std_error


def test_a_fit_that_would_draw_beyond_what_is_computed_is_refused() -> None:
    found = refused(given(["5000000", "-5000000", "100"], model="NORMAL"))
    assert "5368709.12" in found["settings.model"]


@pytest.mark.parametrize("model", [*RESAMPLING, *FITTED])
def test_a_history_of_one_day_is_simulated_with_a_warning(model: str) -> None:
    found = simulated(given(MIXED, model=model, days=1, horizon_days=3))
    assert sum(outcomes(found).values()) == pytest.approx(1)
    assert (found.history.days, found.history.trades) == (1, len(MIXED))
    assert "SHORT_HISTORY" in codes(found)


def test_the_one_day_there_is_comes_again_and_again() -> None:
    found = simulated(given(MIXED, model="DAY", days=1, horizon_days=3))
    assert mean_of(found) == pytest.approx(3 * sum(float(each) for each in MIXED))


# Amounts.


def test_a_trade_larger_than_the_account_ends_it_and_is_pointed_out() -> None:
    found = simulated(given(["5"] * 9 + ["-2500"], model="IID", horizon_days=1))
    assert outcomes(found)["breached_max_drawdown"] == pytest.approx(0.1, abs=4.5 * 0.3 / 512**0.5)
    assert "TRADE_EXCEEDS_ACCOUNT" in codes(found)


def test_a_trade_larger_than_is_computed_is_refused() -> None:
    found = refused(given([*MIXED, "5368709.13"]))
    assert "5368709.12" in found["trades[10].pnl"]


def test_balances_beyond_what_is_computed_are_an_error_that_says_what_to_do() -> None:
    message = given(["5000000", "4000000"])
    message.rules.ClearField("profit_target")
    with pytest.raises(AmountsTooLarge, match="shorter horizon"):
        simulated(message)


@pytest.mark.parametrize("pnl", ["NaN", "inf", "-Infinity", "1e5", "", " 5", "5,00", "0x10", "٣", "1" * 400])
def test_what_is_no_amount_is_refused(pnl: str) -> None:
    found = refused(given([*MIXED, pnl]))
    assert set(found) == {"trades[10].pnl"}


def test_the_currency_is_the_rules_and_amounts_must_fit_it() -> None:
    """A trade need not name its currency: one in another is then noticed only by amounts that this one cannot hold."""
    message = given(MIXED)
    message.rules.currency = "JPY"
    found = refused(message)
    assert "more decimals than its currency" in found["trades[1].pnl"]
    message.rules.currency = "XX"
    assert "ISO 4217" in refused(message)["rules.currency"]


# Times.


def test_trades_in_another_order_are_the_same_history() -> None:
    forward, backward = given(MIXED, days=3), given(MIXED, days=3)
    backward.trades.sort(key=lambda trade: trade.closed_at.seconds, reverse=True)
    one, other = simulated(forward), simulated(backward)
    assert one.outcomes == other.outcomes
    assert one.final_pnl == other.final_pnl
    assert one.block_length == other.block_length


def test_trades_closed_at_the_same_instant_stay_in_the_order_given() -> None:
    message = given(MIXED, days=1)
    for trade in message.trades:
        trade.closed_at.FromDatetime(OPEN)
    spec = codec.decode(message)
    assert [trade.pnl_minor for trade in spec.trades] == [round(100 * float(each)) for each in MIXED]
    assert "DUPLICATE_TRADES" not in codes(simulated(message))


def test_equal_trades_count_as_trades_of_their_own_and_are_pointed_out() -> None:
    message = given(MIXED)
    message.trades.append(message.trades[3])
    found = simulated(message)
    assert found.history.trades == len(MIXED) + 1
    assert "DUPLICATE_TRADES" in codes(found)
    assert "DUPLICATE_TRADES" not in codes(simulated(given(MIXED)))


def test_a_trade_later_than_the_present_is_refused_by_its_place() -> None:
    message = given(MIXED)
    message.settings.as_of.FromDatetime(OPEN + timedelta(days=8, seconds=8))
    found = refused(message)
    assert set(found) == {"trades[9].closed_at"}
    assert "settings.as_of" in found["trades[9].closed_at"]
    message.settings.as_of.FromDatetime(OPEN + timedelta(days=9, seconds=9))
    simulated(message)


@pytest.mark.parametrize("change", [
    lambda message: message.trades[2].ClearField("closed_at"),
    lambda message: setattr(message.trades[2].closed_at, "seconds", 10**15),
    lambda message: setattr(message.trades[2].closed_at, "nanos", -5),
    lambda message: message.trades[2].closed_at.FromDatetime(datetime(9999, 12, 31, 23, tzinfo=UTC)),
    lambda message: message.trades[2].closed_at.FromDatetime(datetime(1, 1, 1, 1, tzinfo=UTC)),
], ids=["missing", "beyond year 9999", "bad nanoseconds", "still open, to some", "never, to some"])  # fmt: skip
def test_a_trade_without_a_valid_time_is_refused(change: Callable[[Input], object]) -> None:
    message = given(MIXED)
    change(message)
    assert set(refused(message)) == {"trades[2].closed_at"}


def test_a_bad_trade_that_is_later_than_the_present_is_told_both() -> None:
    message = given(MIXED)
    message.settings.as_of.FromDatetime(OPEN + timedelta(days=8, seconds=8))
    message.trades[9].pnl = "a lot"
    assert set(refused(message)) == {"trades[9].closed_at", "trades[9].pnl"}


def test_a_present_that_is_no_time_is_refused() -> None:
    message = given(MIXED)
    message.settings.as_of.seconds = 10**15
    assert "settings.as_of" in refused(message)


# Size.


def test_more_trades_than_are_taken_are_refused_with_which_to_send() -> None:
    message = given(["5"])
    message.trades.extend([message.trades[0]] * MAX_TRADES)
    assert "the latest ones" in refused(message)["trades"]


@pytest.mark.slow
def test_a_million_trades_are_simulated() -> None:
    message = given(["5", "-5"])
    message.trades.extend(list(message.trades) * (MAX_TRADES // 2 - 1))
    message.settings.trades_per_day = 1
    found = simulated(message)
    assert found.history.trades == MAX_TRADES
    assert abs(mean_of(found)) < 5 * found.final_pnl.mean.std_error


# Settings and stress.


@pytest.mark.parametrize(
    ("settings", "field", "remedy"),
    [
        ({"stress": {"volatility_factor": 0.05}}, "stress.volatility_factor", "0.1 to 10"),
        ({"stress": {"volatility_factor": float("nan")}}, "stress.volatility_factor", "0.1 to 10"),
        ({"stress": {"loss_factor": -1.0}}, "stress.loss_factor", "0.1 to 10"),
        ({"stress": {"loss_factor": float("inf")}}, "stress.loss_factor", "0.1 to 10"),
        ({"stress": {"cost_per_trade": "-1"}}, "stress.cost_per_trade", "from 0 to"),
        ({"stress": {"cost_per_trade": "a lot"}}, "stress.cost_per_trade", "write it like"),
        ({"stress": {"cost_per_trade": "0.001"}}, "stress.cost_per_trade", "more decimals"),
        ({"stress": {"fewer_winners": 1.5}}, "stress.fewer_winners", "from 0 to 1"),
        ({"stress": {"fewer_winners": float("nan")}}, "stress.fewer_winners", "from 0 to 1"),
        ({"excursions": 9}, "excursions", "AUTO, OFF"),
        ({"model": UNKNOWN}, "model", "STUDENT_T"),
        ({"block_length": 2.0}, "block_length", "STATIONARY or CIRCULAR"),
        ({"block_length": 2.5, "model": CIRCULAR}, "block_length", "whole number from 1 to 10"),
        ({"block_length": 11, "model": CIRCULAR}, "block_length", "whole number from 1 to 10"),
        ({"block_length": float("nan"), "model": CIRCULAR}, "block_length", "whole number from 1 to 10"),
        ({"trades_per_day": 3, "model": DAY}, "trades_per_day", "use IID"),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], field: str, remedy: str) -> None:
    found = refused(given(MIXED, **settings))
    assert set(found) == {f"settings.{field}"}
    assert remedy in found[f"settings.{field}"]


@pytest.mark.parametrize(
    ("pnls", "stress", "field", "remedy"),
    [
        (["5", "7", "0"], {"fewer_winners": 0.1}, "stress.fewer_winners", "leave it out"),
        (["5", "7", "0"], {"worst_day": True}, "stress.worst_day", "leave it out"),
        (["5000000", "-4000000"], {"loss_factor": 2.0}, "stress", "5368709.12"),
        (["5000000", "-4000000"], {"volatility_factor": 1.2}, "stress", "5368709.12"),
        (["50", "-4000000"], {"worst_day": True}, "stress", "5368709.12"),
    ],
)
def test_stress_that_the_history_cannot_bear_is_refused(
    pnls: list[str], stress: dict[str, Any], field: str, remedy: str
) -> None:
    found = refused(given(pnls, stress=settings_pb2.Stress(**stress)))
    assert set(found) == {f"settings.{field}"}
    assert remedy in found[f"settings.{field}"]


@pytest.mark.parametrize(
    ("stress", "mean"),
    [
        ({"volatility_factor": 3.0}, 2.0),
        ({"loss_factor": 2.0}, 2.0 - 29.75 / 10),
        ({"cost_per_trade": "0.50"}, 1.5),
        ({"fewer_winners": 1.0}, (-29.75 + 0 + 5 * -29.75 / 4) / 10),
        ({"worst_day": True}, 2.0 - 12.5 / 2),
        ({"cost_per_trade": "0.50", "worst_day": True, "loss_factor": 2.0}, 2.0 - 29.75 / 10 - 0.5 - 25.5 / 2),
    ],
)
@pytest.mark.parametrize("model", ["IID", pytest.param("STATIONARY", marks=pytest.mark.slow)])
def test_stress_moves_the_mean_as_it_must(model: str, stress: dict[str, Any], mean: float) -> None:
    """A day of two trades of the history, whose mean is 2.00 less what was taken; 5 standard errors fail with 6e-7."""
    pnls = ("10", "-5.25", "3", "-12.5", "7", "0", "21", "-3", "8.75", "-9")
    message = given(
        pnls, model=model, stress=settings_pb2.Stress(**stress), paths=16_384, horizon_days=1, trades_per_day=2
    )
    for rule in ("max_drawdown", "daily_loss", "profit_target"):
        message.rules.ClearField(rule)
    found = simulated(message).final_pnl.mean
    assert abs(found.value - 2 * mean) < 5 * found.std_error


def test_a_factor_of_one_and_a_cost_of_nothing_change_no_bit() -> None:
    plain = simulated(given(MIXED))
    stress = settings_pb2.Stress(volatility_factor=1.0, loss_factor=1.0, cost_per_trade="0.00")
    found = simulated(given(MIXED, stress=stress))
    assert (found.outcomes, found.final_pnl) == (plain.outcomes, plain.final_pnl)


def test_a_trade_of_the_largest_size_is_simulated_without_stress() -> None:
    found = simulated(given(["-5368709.12"], horizon_days=1))
    assert mean_of(found) == -5368709.12
