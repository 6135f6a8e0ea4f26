"""From the engine's message to a valid Spec: every rule of the contract is checked here, once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Final, Literal

from google.protobuf.timestamp_pb2 import Timestamp

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import trade_pb2
from simulator.checks import Checks
from simulator.codec_account import check_account, decode_account
from simulator.codec_rules import decode_rules
from simulator.codec_settings import decode_settings, decode_time
from simulator.codec_uncertainty import check_scenarios, with_uncertainty
from simulator.money import from_minor
from simulator.spec import (
    MAX_TRADES,
    REACH,
    Account,
    Rules,
    Spec,
    Trade,
)

_DECIDES_NO_PATH: Final[
    tuple[Literal["paths", "scenarios", "precision", "time_budget_s", "estimation_risk", "rare_events", "as_of"], ...]
] = ("paths", "scenarios", "precision", "time_budget_s", "estimation_risk", "rare_events", "as_of")


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
    start = rules.starting_balance_minor
    account = Account(balance_minor=start, high_water_mark_minor=start)
    if message.HasField("account"):
        account = decode_account(checks, message.account, rules)
    settings = decode_settings(checks, message.settings, len(trades), rules.minor_digits)
    settings = with_uncertainty(checks, message.settings, settings, rules.minor_digits)
    if settings.seed is None:
        settings = replace(settings, seed=derived_seed(message))
    _check_present(checks, message)
    checks.raise_if_any()
    spec = Spec(trades=trades, rules=rules, account=account, settings=settings)
    check_account(checks, spec)
    checks.raise_if_any()
    check_scenarios(checks, spec, check_account)
    checks.raise_if_any()
    return spec


def digest(message: engine_pb2.SimulateInput) -> str:
    """SHA-256, hex, of the input: its known fields in protobuf's deterministic form, which has no maps to order."""
    known = engine_pb2.SimulateInput()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return hashlib.sha256(known.SerializeToString(deterministic=True)).hexdigest()


def derived_seed(message: engine_pb2.SimulateInput) -> int:
    """The seed of an input that names none: 64 bits of the digest of what decides a path.

    How many paths there are, what is reported beside them and when the input was fetched do not decide a path. So the
    same account has the same futures tomorrow, and those of a run that stopped early come again with so many paths.
    """
    what = engine_pb2.SimulateInput()
    what.CopyFrom(message)
    for name in _DECIDES_NO_PATH:
        what.settings.ClearField(name)
    return int(digest(what)[:16], 16)


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
    pnl = _amount(checks, f"{field}.pnl", trade.pnl, digits)
    mae = _amount(checks, f"{field}.mae", trade.mae, digits) if trade.mae else None
    mfe = _amount(checks, f"{field}.mfe", trade.mfe, digits) if trade.mfe else None
    if mae is not None and mae > 0:
        checks.bad(f"{field}.mae", f"{trade.mae} has the wrong sign: it is <= 0 by definition")
    if mfe is not None and mfe < 0:
        checks.bad(f"{field}.mfe", f"{trade.mfe} has the wrong sign: it is >= 0 by definition")
    if trade.HasField("opened_at") and trade.HasField("closed_at") and _later(trade.opened_at, trade.closed_at):
        checks.bad(f"{field}.opened_at", "is later than closed_at: check both, and their time zones")
    for name in ("commission", "quantity"):
        if text := getattr(trade, name):
            checks.number(f"{field}.{name}", text)
    if closed_at is None or pnl is None:
        return None
    return Trade(closed_at=closed_at, pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)


def _amount(checks: Checks, field: str, text: str, digits: int) -> int | None:
    """An amount that a trade may make or lose; None if it is bad."""
    minor = checks.money(field, text, digits)
    if minor is not None and abs(minor) > REACH:
        checks.bad(field, f"{text} is too large: a trade may make or lose {from_minor(REACH, digits)}")
    return minor


def _closed_at(checks: Checks, field: str, trade: trade_pb2.Trade) -> datetime | None:
    if not trade.HasField("closed_at"):
        checks.bad(f"{field}.closed_at", "is missing: give the time at which the trade was closed")
        return None
    return decode_time(checks, f"{field}.closed_at", trade.closed_at)


def _check_present(checks: Checks, message: engine_pb2.SimulateInput) -> None:
    """No trade was closed after the present, where that is given."""
    if not message.settings.HasField("as_of"):
        return
    for index, trade in enumerate(message.trades):
        if _later(trade.closed_at, message.settings.as_of):
            checks.bad(
                f"trades[{index}].closed_at",
                "is later than settings.as_of, the present: check its time zone, leave the trade out, or give a later"
                " settings.as_of",
            )


def _later(time: Timestamp, other: Timestamp) -> bool:
    return (time.seconds, time.nanos) > (other.seconds, other.nanos)
