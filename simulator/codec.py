"""From the engine's message to a valid Spec: every rule of the contract is checked here, once."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2, settings_pb2, trade_pb2
from simulator.checks import Checks
from simulator.codec_rules import decode_rules
from simulator.money import from_minor
from simulator.spec import (
    MAX_HORIZON_DAYS,
    MAX_INDEX_SPREAD,
    MAX_PATHS,
    MAX_TRADES,
    MAX_TRADES_PER_DAY,
    REACH,
    Account,
    BreachOperator,
    Model,
    Rules,
    Settings,
    Spec,
    Trade,
)

DEFAULT_PATHS: Final = 100_000

_MODELS: Final[dict[int, Model]] = {
    settings_pb2.RESAMPLING_MODEL_UNSPECIFIED: Model.STATIONARY,
    settings_pb2.RESAMPLING_MODEL_IID: Model.IID,
    settings_pb2.RESAMPLING_MODEL_DAY: Model.DAY,
    settings_pb2.RESAMPLING_MODEL_STATIONARY: Model.STATIONARY,
}


def decode(message: engine_pb2.SimulateInput) -> Spec:
    """The simulation asked for.

    Raises: InvalidInput naming every bad field.
    """
    checks = Checks()
    rules = decode_rules(checks, message.rules) if message.HasField("rules") else None
    if rules is None:
        checks.bad("rules", "is missing: give at least rules.starting_balance")
        rules = Rules(starting_balance_minor=1)
    trades = _trades(checks, message, rules.minor_digits)
    account = _account(checks, message, rules)
    settings = _settings(checks, message.settings, len(trades))
    checks.raise_if_any()
    spec = Spec(trades=trades, rules=rules, account=account, settings=settings)
    _check_account(checks, spec)
    checks.raise_if_any()
    return spec


def digest(message: engine_pb2.SimulateInput) -> str:
    """SHA-256, hex, of the input: its known fields in protobuf's deterministic form, which has no maps to order."""
    known = engine_pb2.SimulateInput()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return hashlib.sha256(known.SerializeToString(deterministic=True)).hexdigest()


def _trades(checks: Checks, message: engine_pb2.SimulateInput, digits: int) -> tuple[Trade, ...]:
    count = len(message.trades)
    if not count:
        checks.bad("trades", "is empty: give at least one closed trade")
    if count > MAX_TRADES:
        checks.bad("trades", f"has {count} trades: give at most {MAX_TRADES}, the latest ones")
        return ()
    found = [_trade(checks, f"trades[{index}]", trade, digits) for index, trade in enumerate(message.trades)]
    return tuple(sorted((trade for trade in found if trade), key=attrgetter("closed_at")))


def _trade(checks: Checks, field: str, trade: trade_pb2.Trade, digits: int) -> Trade | None:
    closed_at = _closed_at(checks, field, trade)
    pnl = checks.money(f"{field}.pnl", trade.pnl, digits)
    if pnl is not None and abs(pnl) > REACH:
        checks.bad(f"{field}.pnl", f"{trade.pnl} is too large: a trade may make or lose {from_minor(REACH, digits)}")
    for name, sign in (("mae", -1), ("mfe", 1)):
        text = getattr(trade, name)
        amount = checks.money(f"{field}.{name}", text, digits) if text else None
        if amount is not None and amount * sign < 0:
            checks.bad(
                f"{field}.{name}", f"{text} has the wrong sign: it is {'<' if sign < 0 else '>'}= 0 by definition"
            )
    for name in ("commission", "quantity"):
        if text := getattr(trade, name):
            checks.number(f"{field}.{name}", text)
    return None if closed_at is None or pnl is None else Trade(closed_at=closed_at, pnl_minor=pnl)


def _closed_at(checks: Checks, field: str, trade: trade_pb2.Trade) -> datetime | None:
    if not trade.HasField("closed_at"):
        checks.bad(f"{field}.closed_at", "is missing: give the time at which the trade was closed")
        return None
    try:
        return trade.closed_at.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        checks.bad(f"{field}.closed_at", "is not a valid time: give one from year 1 to 9999")
        return None


def _account(checks: Checks, message: engine_pb2.SimulateInput, rules: Rules) -> Account:
    start = rules.starting_balance_minor
    if not message.HasField("account"):
        return Account(balance_minor=start, high_water_mark_minor=start)
    state: rules_pb2.AccountState = message.account
    balance = checks.money("account.balance", state.balance, rules.minor_digits) or 0
    mark = max(balance, start)
    if state.high_water_mark:
        given = checks.money("account.high_water_mark", state.high_water_mark, rules.minor_digits)
        mark = mark if given is None else given
    return Account(
        balance_minor=balance,
        high_water_mark_minor=mark,
        days_traded=checks.whole("account.days_traded", state.days_traded, 0, 2**31 - 1),
        qualifying_days=checks.whole("account.qualifying_days", state.qualifying_days, 0, 2**31 - 1),
    )


def _check_account(checks: Checks, spec: Spec) -> None:
    """An account that has ended already has no future to simulate."""
    rules, account = spec.rules, spec.account
    if account.high_water_mark_minor < account.balance_minor:
        checks.bad(
            "account.high_water_mark", "is below account.balance: give the highest balance so far, or leave it out"
        )
    limit = rules.time_limit_days
    if limit is not None and account.days_traded >= limit:
        checks.bad("account.days_traded", f"has used up rules.time_limit_days ({limit}): the account has expired")
    floor = spec.present_floor_minor
    if floor is None:
        return
    room = account.balance_minor - floor
    if room < 0 or (room == 0 and rules.breach is BreachOperator.AT_OR_BELOW):
        shown = from_minor(floor, rules.minor_digits)
        checks.bad("account.balance", f"is at or below the floor of the maximum drawdown ({shown}): it has breached"
                   " already; check the balance, account.high_water_mark and rules.max_drawdown")  # fmt: skip


def _settings(checks: Checks, settings: settings_pb2.SimulationSettings, trades: int) -> Settings:
    model = checks.kind("settings.model", settings.model, _MODELS) or Model.STATIONARY
    per_day = checks.whole("settings.trades_per_day", settings.trades_per_day, 0, MAX_TRADES_PER_DAY)
    if model is Model.DAY and per_day:
        checks.bad("settings.trades_per_day", "cannot be fixed for DAY, which plays whole days: leave it 0, or use IID")
    return Settings(
        paths=checks.whole("settings.paths", settings.paths, 0, MAX_PATHS) or DEFAULT_PATHS,
        horizon_days=checks.whole("settings.horizon_days", settings.horizon_days, 0, MAX_HORIZON_DAYS) or None,
        model=model,
        trades_per_day=per_day or None,
        block_length=_block_length(checks, settings.block_length, model, trades),
        seed=settings.seed if settings.HasField("seed") else None,
    )


def _block_length(checks: Checks, length: float, model: Model, trades: int) -> float | None:
    if length == 0:
        return None
    most = MAX_INDEX_SPREAD // max(trades, 1)
    if model is not Model.STATIONARY:
        checks.bad("settings.block_length", f"has no meaning for {model.name}: leave it out, or use STATIONARY")
    if not (math.isfinite(length) and 1 <= length <= most):
        checks.bad("settings.block_length", f"{length:g} is out of range: give 1 to {most}, or 0 for automatic")
        return None
    return length
