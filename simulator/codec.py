"""From the engine's message to a valid Spec: every rule of the contract is checked here, once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import trade_pb2
from riskio.currencies import DIGITS
from simulator.checks import Checks
from simulator.codec_account import check_account, decode_account
from simulator.codec_rules import USUAL_CURRENCY, decode_rules
from simulator.codec_settings import decode_settings
from simulator.codec_trades import decode_trades, later
from simulator.codec_uncertainty import check_scenarios, with_uncertainty
from simulator.spec import Account, Rules, Spec

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
    closed = list(message.trades)  # each is wrapped once, not with each look at it
    trades = decode_trades(checks, closed, rules.minor_digits)
    _check_currencies(checks, closed, message.rules.currency or USUAL_CURRENCY)
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

    How many paths there are, what is reported beside them, when the input was fetched and that trades name the
    account's currency do not decide a path. So the same account has the same futures tomorrow, and those of a run that
    stopped early come again with so many paths.
    """
    what = engine_pb2.SimulateInput()
    what.CopyFrom(message)
    for name in _DECIDES_NO_PATH:
        what.settings.ClearField(name)
    for trade in what.trades:
        if trade.currency:
            trade.ClearField("currency")
    return int(digest(what)[:16], 16)


def _check_currencies(checks: Checks, trades: Sequence[trade_pb2.Trade], currency: str) -> None:
    """No trade is in another currency than the account."""
    if currency not in DIGITS or {trade.currency for trade in trades} <= {"", currency}:
        return
    for index, trade in enumerate(trades):
        if trade.currency not in {"", currency}:
            checks.bad(
                f"trades[{index}].currency",
                f"{trade.currency[:40]!r} is not the account's currency, {currency}: convert the amounts to {currency},"
                " or leave it out if they are",
            )


def _check_present(checks: Checks, message: engine_pb2.SimulateInput) -> None:
    """No trade was closed after the present, where that is given."""
    present = message.settings.as_of
    if not message.settings.HasField("as_of") or all(
        each.closed_at.seconds < present.seconds for each in message.trades
    ):
        return
    for index, trade in enumerate(message.trades):
        if later(trade.closed_at, present):
            checks.bad(
                f"trades[{index}].closed_at",
                "is later than settings.as_of, the present: check its time zone, leave the trade out, or give a later"
                " settings.as_of",
            )
