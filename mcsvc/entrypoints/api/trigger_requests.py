"""TriggerSimulationRequest, checked and decoded.

Only its shape is checked here, and cheaply, and that all is in one currency: whether the trades and rules make sense is
the engine's to say.
"""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mcsvc.app.snapshot import build_snapshot, from_settings_message
from mcsvc.app.trigger_simulation import TriggerRequest
from mcsvc.domain.job import Trigger
from mcsvc.domain.subject import Settings, Subject, SubjectKind
from mcsvc.entrypoints.api.fields import Checker
from mcsvc.entrypoints.api.known import check_known
from mcsvc.entrypoints.api.settings_checks import check_settings
from mcsvc.ports.job_store import Snapshot
from montecarlo.v1 import simulation_pb2, simulation_service_pb2, trade_pb2
from riskio.currencies import DIGITS, UnknownCurrency, minor_digits

MAX_TRADES = 100_000
_USUAL_CURRENCY = "USD"
_FIRST_S, _LAST_S = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2, 9999))
_NO_TIME = "is no time from the year 2 to 9998, with 0 to 999,999,999 nanoseconds: check the units"
_ASKED = "give exactly one of assessment_id, funded_account_id and inline"


def decode_trigger(request: simulation_service_pb2.TriggerSimulationRequest, *, trace_parent: str) -> TriggerRequest:
    """What is asked for. Raises InvalidRequest naming each bad field."""
    check = Checker()
    check.text_id("request_id", request.request_id, required=False)
    _check_subject(check, request.subject)
    check_settings(check, request.settings)
    check.raise_if_bad()
    settings = from_settings_message(request.settings)
    inline = _snapshot(request.subject, settings)
    return TriggerRequest(
        subject=_subject(request.subject, inline),
        settings=settings,
        trigger=Trigger.API,
        request_id=request.request_id,
        dedup_key="",
        inline=inline,
        trace_parent=trace_parent,
    )


def _subject(subject: simulation_pb2.SimulationSubject, inline: Snapshot | None) -> Subject:
    if inline is not None:
        return Subject(kind=SubjectKind.INLINE, ref=inline.digest)
    if subject.HasField("assessment_id"):
        return Subject(kind=SubjectKind.ASSESSMENT, ref=subject.assessment_id)
    return Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=subject.funded_account_id)


def _snapshot(subject: simulation_pb2.SimulationSubject, settings: Settings) -> Snapshot | None:
    if not subject.HasField("inline"):
        return None
    account = subject.inline.account if subject.inline.HasField("account") else None
    return build_snapshot(subject.inline.trades, subject.inline.rules, account, settings)


def _check_subject(check: Checker, subject: simulation_pb2.SimulationSubject) -> None:
    match subject.WhichOneof("subject"):
        case "assessment_id":
            check.text_id("subject.assessment_id", subject.assessment_id, required=True)
        case "funded_account_id":
            check.text_id("subject.funded_account_id", subject.funded_account_id, required=True)
        case "inline":
            _check_inline(check, subject.inline)
        case _:
            check.reject("subject", _ASKED)


def _check_inline(check: Checker, inline: simulation_pb2.InlineInput) -> None:
    count = len(inline.trades)
    check.require(
        "subject.inline.trades", f"give 1 to {MAX_TRADES} trades, not {count}", holds=1 <= count <= MAX_TRADES
    )
    check_known(check, "subject.inline.rules", inline.rules)
    check_known(check, "subject.inline.account", inline.account)
    check.decimal("subject.inline.rules.starting_balance", inline.rules.starting_balance, required=True)
    if inline.HasField("account"):
        check.decimal("subject.inline.account.balance", inline.account.balance, required=True)
    currency = inline.rules.currency or _USUAL_CURRENCY
    try:
        minor_digits(currency)
    except UnknownCurrency as error:
        check.reject("subject.inline.rules.currency", str(error))
    if count <= MAX_TRADES:
        for index, trade in enumerate(inline.trades):
            path = f"subject.inline.trades[{index}]"
            _check_trade(check, path, trade)
            if trade.currency not in {"", currency} and currency in DIGITS:
                check.reject(
                    f"{path}.currency",
                    f"{trade.currency[:40]!r} is not the account's currency, {currency}: convert the amounts to"
                    f" {currency}, or leave it out if they are",
                )


def _check_trade(check: Checker, path: str, trade: trade_pb2.Trade) -> None:
    for name in ("closed_at", "opened_at"):
        check.require(f"{path}.{name}", _NO_TIME, holds=_is_time(getattr(trade, name)))
    check.require(f"{path}.closed_at", "give the time the trade was closed", holds=trade.HasField("closed_at"))
    check.decimal(f"{path}.pnl", trade.pnl, required=True)
    opened, closed = ((each.seconds, each.nanos) for each in (trade.opened_at, trade.closed_at))
    in_order = opened <= closed or not (trade.HasField("opened_at") and trade.HasField("closed_at"))
    check.require(f"{path}.opened_at", "is later than closed_at: check both, and their time zones", holds=in_order)


def _is_time(time: Timestamp) -> bool:
    return _FIRST_S <= time.seconds < _LAST_S and 0 <= time.nanos < 1_000_000_000
