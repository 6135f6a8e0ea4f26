"""What an input may hold: each bad field is named with its remedy, and amounts are exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2, settings_pb2, trade_pb2
from simulator import codec
from simulator.errors import InvalidInput
from simulator.spec import REACH, BreachOperator, DrawdownKind, Model, Spec

_UNKNOWN: Any = 7
OPEN = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def given(**rules: Any) -> engine_pb2.SimulateInput:
    """An input of three trades, the latest first, under these rules."""
    message = engine_pb2.SimulateInput(rules=rules_pb2.AccountRules(**({"starting_balance": "1000.00"} | rules)))
    for hour, pnl in ((2, "-5.25"), (1, "10"), (0, "0.5")):
        trade = message.trades.add(pnl=pnl)
        trade.closed_at.FromDatetime(OPEN + timedelta(hours=hour))
    return message


def violations(message: engine_pb2.SimulateInput) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        codec.decode(message)
    return {each.field: each.description for each in caught.value.violations}


def drawdown(**fields: Any) -> rules_pb2.MaxDrawdown:
    return rules_pb2.MaxDrawdown(**({"kind": rules_pb2.DRAWDOWN_KIND_STATIC} | fields))


HIGH = "account.high_water_mark"
OF_THE_PEAK = drawdown(kind=rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY, percent_of_high_water_mark="90")
OF_THE_ANCHOR = rules_pb2.DailyLoss(
    percent_of_anchor="100", anchor=rules_pb2.DAILY_LOSS_ANCHOR_HIGHER_OF_BALANCE_AND_EQUITY
)


def decoded(message: engine_pb2.SimulateInput) -> Spec:
    return codec.decode(message)


def test_trades_come_in_close_order_and_in_minor_units() -> None:
    assert [trade.pnl_minor for trade in decoded(given()).trades] == [50, 1000, -525]


def test_everything_left_out_takes_its_documented_default() -> None:
    spec = decoded(given())
    assert spec.rules.currency == "USD"
    assert spec.rules.breach is BreachOperator.AT_OR_BELOW
    assert (spec.rules.max_drawdown, spec.rules.daily_loss, spec.rules.target_minor) == (None, None, None)
    assert (spec.account.balance_minor, spec.account.high_water_mark_minor) == (100_000, 100_000)
    assert (spec.settings.paths, spec.settings.model) == (100_000, Model.STATIONARY)
    assert spec.settings.horizon_days is spec.settings.trades_per_day is None


def test_an_amount_is_read_in_the_currencys_own_minor_unit() -> None:
    yen = given(currency="JPY", starting_balance="1000000")
    del yen.trades[:]
    yen.trades.add(pnl="-300").closed_at.FromDatetime(OPEN)
    assert decoded(yen).rules.starting_balance_minor == 1_000_000
    dinar = given(currency="KWD", starting_balance="10.005")
    assert decoded(dinar).rules.starting_balance_minor == 10_005


@pytest.mark.parametrize(
    ("breach", "allowance"), [(rules_pb2.BREACH_OPERATOR_AT_OR_BELOW, 34), (rules_pb2.BREACH_OPERATOR_BELOW, 33)]
)
def test_a_percentage_that_ends_within_a_cent_changes_no_test_of_a_balance(
    breach: rules_pb2.BreachOperator.ValueType, allowance: int
) -> None:
    """A floor at 999.667: 999.66 is at or below it and 999.67 is not, whichever operator is asked."""
    spec = decoded(given(max_drawdown=drawdown(percent="0.0333"), breach=breach))
    assert spec.rules.max_drawdown is not None
    assert spec.rules.max_drawdown.allowance_minor == allowance


def test_rules_are_read_whole() -> None:
    spec = decoded(
        given(
            max_drawdown=drawdown(
                kind=rules_pb2.DRAWDOWN_KIND_TRAILING_INTRADAY, amount="50.00", lock_balance="1001.00"
            ),
            daily_loss=rules_pb2.DailyLoss(percent="2.5", reset_time="17:00", time_zone="America/New_York"),
            profit_target=rules_pb2.ProfitTarget(percent="10"),
            minimum_days=rules_pb2.MinimumDays(days=3, min_profit="1.50"),
            time_limit_days=30,
        )
    )
    rules = spec.rules
    assert rules.max_drawdown is not None
    assert rules.daily_loss is not None
    assert rules.minimum_days is not None
    assert (rules.max_drawdown.kind, rules.max_drawdown.lock_minor) == (DrawdownKind.TRAILING_INTRADAY, 100_100)
    assert (rules.daily_loss.limit_minor, rules.target_minor) == (2_500, 110_000)
    assert (rules.trading_day.time_zone, rules.trading_day.reset_time.hour) == ("America/New_York", 17)
    assert (rules.minimum_days.days, rules.minimum_days.min_profit_minor) == (3, 150)
    assert rules.time_limit_days == 30


@pytest.mark.parametrize(
    ("rules", "field", "remedy"),
    [
        ({"starting_balance": ""}, "rules.starting_balance", "write it like"),
        ({"starting_balance": "0"}, "rules.starting_balance", "positive"),
        ({"starting_balance": "1e5"}, "rules.starting_balance", "write it like"),
        ({"starting_balance": "10.005"}, "rules.starting_balance", "more decimals"),
        ({"starting_balance": "1" + "0" * 20}, "rules.starting_balance", "too large"),
        ({"currency": "usd"}, "rules.currency", "did you mean USD?"),
        ({"currency": "UDS"}, "rules.currency", "did you mean USD?"),
        ({"breach": 9}, "rules.breach", "AT_OR_BELOW, BELOW"),
        (
            {"max_drawdown": drawdown()},
            "rules.max_drawdown",
            "exactly one of amount, percent and percent_of_high_water_mark",
        ),
        ({"max_drawdown": drawdown(percent="101")}, "rules.max_drawdown.percent", "up to 100"),
        ({"max_drawdown": drawdown(percent="0")}, "rules.max_drawdown.percent", "above 0"),
        ({"max_drawdown": drawdown(amount="-1")}, "rules.max_drawdown.amount", "positive"),
        ({"max_drawdown": drawdown(kind=0, amount="1")}, "rules.max_drawdown.kind", "TRAILING_END_OF_DAY"),
        ({"max_drawdown": drawdown(amount="1", lock_balance="1")}, "rules.max_drawdown.lock_balance", "leave it out"),
        ({"daily_loss": rules_pb2.DailyLoss()}, "rules.daily_loss", "exactly one"),
        ({"daily_loss": rules_pb2.DailyLoss(amount="1", anchor=_UNKNOWN)}, "rules.daily_loss.anchor", "PRIOR_BALANCE"),
        ({"daily_loss": rules_pb2.DailyLoss(amount="1", action=_UNKNOWN)}, "rules.daily_loss.action", "FAIL"),
        ({"daily_loss": rules_pb2.DailyLoss(amount="1", reset_time="24:00")}, "rules.daily_loss.reset_time", "17:00"),
        ({"daily_loss": rules_pb2.DailyLoss(amount="1", time_zone="Mars/X")}, "rules.daily_loss.time_zone", "IANA"),
        ({"daily_loss": rules_pb2.DailyLoss(amount="1", time_zone="America")}, "rules.daily_loss.time_zone", "IANA"),
        ({"profit_target": rules_pb2.ProfitTarget(amount="0")}, "rules.profit_target.amount", "positive"),
        ({"minimum_days": rules_pb2.MinimumDays()}, "rules.minimum_days.days", "from 1"),
        ({"minimum_days": rules_pb2.MinimumDays(days=1, min_profit="x")}, "rules.minimum_days.min_profit", "decimal"),
        ({"time_limit_days": -1}, "rules.time_limit_days", "from 0"),
    ],
)
def test_a_bad_rule_is_named_with_its_remedy(rules: dict[str, Any], field: str, remedy: str) -> None:
    assert remedy in violations(given(**rules))[field]


@pytest.mark.parametrize(
    ("trade", "field", "remedy"),
    [
        ({"pnl": ""}, "pnl", "write it like"),
        ({"pnl": "NaN"}, "pnl", "write it like"),
        ({"pnl": "0.001"}, "pnl", "more decimals"),
        ({"pnl": str(REACH)}, "pnl", "too large"),
        ({"pnl": "1", "mae": "2"}, "mae", "sign"),
        ({"pnl": "1", "mfe": "-2"}, "mfe", "sign"),
        ({"pnl": "1", "quantity": "two"}, "quantity", "write it like"),
    ],
)
def test_a_bad_trade_is_named_by_its_place(trade: dict[str, Any], field: str, remedy: str) -> None:
    message = given()
    bad = trade_pb2.Trade(**trade)
    bad.closed_at.FromDatetime(OPEN)
    message.trades.append(bad)
    assert remedy in violations(message)[f"trades[3].{field}"]


def test_a_trade_opened_after_it_was_closed_is_named() -> None:
    message = given()
    message.trades[1].opened_at.CopyFrom(message.trades[1].closed_at)
    decoded(message)
    message.trades[1].opened_at.nanos += 1
    found = violations(message)
    assert set(found) == {"trades[1].opened_at"}
    assert "later than closed_at" in found["trades[1].opened_at"]


def test_a_decimal_that_is_not_there_is_said_to_be_missing() -> None:
    message = given(
        starting_balance="",
        scaling=rules_pb2.Scaling(every_days=1, max_steps=1, step_percent="1"),
        consistency=rules_pb2.Consistency(),
        profit_target=rules_pb2.ProfitTarget(amount="1"),
    )
    message.account.SetInParent()
    message.trades[0].pnl = ""
    found = violations(message)
    missing = {field for field, why in found.items() if why.startswith("is missing: give a decimal number")}
    assert missing == {
        "rules.starting_balance", "rules.scaling.min_profit_percent", "rules.consistency.max_best_day_share",
        "account.balance", "trades[0].pnl",
    }  # fmt: skip
    assert "''" not in "".join(found.values())


def test_a_trade_without_its_time_is_named() -> None:
    message = given()
    message.trades.add(pnl="1")
    assert "is missing" in violations(message)["trades[3].closed_at"]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"paths": -1}, "paths"),
        ({"paths": 10**10 + 1}, "paths"),
        ({"horizon_days": 10_001}, "horizon_days"),
        ({"trades_per_day": 10_001}, "trades_per_day"),
        ({"model": 9}, "model"),
        ({"model": settings_pb2.RESAMPLING_MODEL_DAY, "trades_per_day": 2}, "trades_per_day"),
        ({"model": settings_pb2.RESAMPLING_MODEL_IID, "block_length": 2}, "block_length"),
        ({"block_length": 0.5}, "block_length"),
        ({"block_length": float("nan")}, "block_length"),
        ({"block_length": 1e9}, "block_length"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], field: str) -> None:
    message = given()
    message.settings.CopyFrom(settings_pb2.SimulationSettings(**settings))
    assert set(violations(message)) == {f"settings.{field}"}


@pytest.mark.parametrize(
    ("account", "field"),
    [
        ({}, "account.balance"),
        ({"balance": "900"}, "account.balance"),
        ({"balance": "1100", "high_water_mark": "1050"}, "account.high_water_mark"),
        ({"balance": "1000", "high_water_mark": "1100"}, "account.balance"),
        ({"balance": "1000", "days_traded": 10}, "account.days_traded"),
        ({"balance": "1000", "qualifying_days": -1}, "account.qualifying_days"),
    ],
)
def test_an_account_that_has_ended_already_is_refused(account: dict[str, Any], field: str) -> None:
    trailing = drawdown(kind=rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY, amount="100")
    message = given(max_drawdown=trailing, time_limit_days=10)
    message.account.CopyFrom(rules_pb2.AccountState(**account))
    message.account.SetInParent()
    assert field in violations(message)


INTRADAY, END_OF_DAY = rules_pb2.DRAWDOWN_KIND_TRAILING_INTRADAY, rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY


@pytest.mark.parametrize(
    ("kind", "mark", "found"),
    [(INTRADAY, "", 104_000), (INTRADAY, "1050", 105_000), (END_OF_DAY, "", 102_000), (END_OF_DAY, "1030", 103_000)],
)
def test_equity_is_part_of_the_mark_of_a_floor_that_trails_it(
    kind: rules_pb2.DrawdownKind.ValueType, mark: str, found: int
) -> None:
    message = given(max_drawdown=drawdown(kind=kind, amount="100"))
    message.account.CopyFrom(rules_pb2.AccountState(balance="1020", equity="1040", high_water_mark=mark))
    spec = decoded(message)
    assert spec.account.high_water_mark_minor == found
    assert spec.present_floor_minor == found - 10_000


def test_a_mark_below_the_equity_that_a_floor_trails_is_refused() -> None:
    message = given(max_drawdown=drawdown(kind=INTRADAY, amount="100"))
    message.account.CopyFrom(rules_pb2.AccountState(balance="1020", equity="1040", high_water_mark="1039.99"))
    assert "give the highest equity" in violations(message)["account.high_water_mark"]


@pytest.mark.parametrize(("within", "excursions"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("kind", [rules_pb2.DRAWDOWN_KIND_STATIC, END_OF_DAY, INTRADAY])
def test_equity_at_the_floor_has_breached_where_it_is_looked_at(
    kind: rules_pb2.DrawdownKind.ValueType, within: bool, excursions: bool
) -> None:
    message = given(max_drawdown=drawdown(kind=kind, amount="100"))
    message.account.CopyFrom(rules_pb2.AccountState(balance="1000", equity="900"))
    message.settings.excursions = settings_pb2.EXCURSIONS_AUTO if excursions else settings_pb2.EXCURSIONS_OFF
    for trade in message.trades if within else ():
        trade.mae, trade.mfe = "-6", "10"
    if kind != INTRADAY and not (within and excursions):
        assert decoded(message).account.equity_minor == 90_000
        return
    assert "(900.00): it has breached already" in violations(message)["account.equity"]
    assert ("excursions off" in violations(message)["account.equity"]) is (kind != INTRADAY)
    message.account.equity = "900.01"
    decoded(message)


def following(kind: rules_pb2.DrawdownKind.ValueType, **account: Any) -> engine_pb2.SimulateInput:
    """An account whose floor falls by each payout, from 900.00 if it is static."""
    message = given(
        max_drawdown=drawdown(kind=kind, amount="100"),
        payout=rules_pb2.Payout(floor_after=rules_pb2.FLOOR_AFTER_PAYOUT_FOLLOW),
    )
    message.account.CopyFrom(rules_pb2.AccountState(**account))
    return message


def test_what_payouts_have_taken_has_lowered_a_static_floor_that_follows() -> None:
    static = rules_pb2.DRAWDOWN_KIND_STATIC
    spec = decoded(following(static, balance="860", payouts=2, withdrawn="60.50"))
    assert (spec.account.withdrawn_minor, spec.present_floor_minor) == (6_050, 83_950)
    breached = violations(following(static, balance="839.50", payouts=2, withdrawn="60.50"))
    assert "(839.50)" in breached["account.balance"]
    kept = following(static, balance="905", payouts=2, withdrawn="60.50")
    kept.rules.payout.floor_after = rules_pb2.FLOOR_AFTER_PAYOUT_KEEP
    assert decoded(kept).present_floor_minor == 90_000


@pytest.mark.parametrize(
    ("account", "remedy"),
    [
        ({"payouts": 1}, "is missing, and account.payouts is 1: the floor of a STATIC drawdown has fallen by it"),
        ({"payouts": 1, "withdrawn": "-1"}, "is below 0"),
        ({"payouts": 0, "withdrawn": "1"}, "account.payouts is 0: give how many"),
        ({"payouts": 1, "withdrawn": "x"}, "write it like"),
    ],
)
def test_what_payouts_have_taken_must_be_told_where_the_floor_has_fallen_by_it(
    account: dict[str, Any], remedy: str
) -> None:
    message = following(rules_pb2.DRAWDOWN_KIND_STATIC, balance="1000", **account)
    assert remedy in violations(message)["account.withdrawn"]


@pytest.mark.parametrize(
    "kind", [rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY, rules_pb2.DRAWDOWN_KIND_TRAILING_INTRADAY]
)
def test_a_peak_is_given_as_payouts_have_left_it(kind: rules_pb2.DrawdownKind.ValueType) -> None:
    spec = decoded(following(kind, balance="1000", high_water_mark="1040", payouts=1))
    assert spec.present_floor_minor == 94_000


@pytest.mark.parametrize(
    ("rules", "account", "bad"),
    [
        ({"payout": rules_pb2.Payout()}, {"balance": "5369709.12"}, None),
        ({"payout": rules_pb2.Payout()}, {"balance": "5369709.13"}, "account.balance"),
        ({}, {"balance": "5369709.13"}, None),
        ({"max_drawdown": OF_THE_PEAK}, {"balance": "20000000", "high_water_mark": "30737418.23"}, None),
        ({"max_drawdown": OF_THE_PEAK}, {"balance": "20000000", "high_water_mark": "30737418.24"}, HIGH),
        ({"daily_loss": OF_THE_ANCHOR}, {"balance": "1000", "equity": "10738418.23"}, None),
        ({"daily_loss": OF_THE_ANCHOR}, {"balance": "1000", "equity": "10738418.24"}, "account.equity"),
    ],
)
def test_what_lies_further_off_than_is_counted_exactly_is_refused(
    rules: dict[str, Any], account: dict[str, str], bad: str | None
) -> None:
    message = given(**rules)
    message.account.CopyFrom(rules_pb2.AccountState(**account))
    if bad is None:
        decoded(message)
    else:
        [(field, why)] = violations(message).items()
        assert field == bad
        assert why.endswith(": check both")


@pytest.mark.parametrize(("account", "bad"), [("", [1, 2]), ("USD", [1, 2]), ("EUR", [0, 2])])
def test_a_trade_in_another_currency_than_the_account_is_refused(account: str, bad: list[int]) -> None:
    message = given(currency=account)
    for trade, currency in zip(message.trades, ("USD", "EUR", "eur"), strict=True):
        trade.currency = currency
    found = violations(message)
    assert set(found) == {f"trades[{index}].currency" for index in bad}
    ours = account or "USD"
    assert found["trades[2].currency"] == (
        f"'eur' is not the account's currency, {ours}: convert the amounts to {ours}, or leave it out if they are"
    )
    message.rules.currency = "usd"
    assert set(violations(message)) == {"rules.currency"}


def test_a_trade_in_the_accounts_currency_is_the_same_trade() -> None:
    message = given()
    for trade in message.trades:
        trade.currency = "USD"
    assert decoded(message) == decoded(given())
    assert codec.digest(message) != codec.digest(given())


def test_all_bad_fields_are_named_at_once() -> None:
    message = given(currency="x", time_limit_days=-1)
    del message.trades[:]
    message.settings.paths = -1
    assert set(violations(message)) == {"rules.currency", "rules.time_limit_days", "settings.paths", "trades"}
    assert set(violations(engine_pb2.SimulateInput())) == {"rules", "trades"}


def test_equal_inputs_have_equal_digests_and_unequal_ones_do_not() -> None:
    assert codec.digest(given()) == codec.digest(engine_pb2.SimulateInput.FromString(given().SerializeToString()))
    seeded = given()
    seeded.settings.seed = 0
    assert len({codec.digest(given()), codec.digest(seeded), codec.digest(given(time_limit_days=1))}) == 3


def test_a_field_of_a_later_version_does_not_change_the_digest() -> None:
    later = engine_pb2.SimulateInput.FromString(given().SerializeToString() + b"\xfa\x01\x01x")
    assert codec.digest(later) == codec.digest(given())
