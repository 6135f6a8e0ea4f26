"""Usual simulations, made up: what a worker compiles before it is asked, and what a new app is probed with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2, settings_pb2, trade_pb2

_FIRST_CLOSE: Final = 1_767_625_200
_DAY_S: Final = 86_400


def usual_input(paths: int) -> engine_pb2.SimulateInput:
    """An assessment on a history of 60 days of four trades, over 60 days."""
    trades = [
        trade_pb2.Trade(
            closed_at=Timestamp(seconds=_FIRST_CLOSE + i // 4 * _DAY_S + i % 4 * 60), pnl=f"{i * 7919 % 401 - 195}.00"
        )
        for i in range(240)
    ]
    rules = rules_pb2.AccountRules(
        currency="USD",
        starting_balance="50000.00",
        max_drawdown=rules_pb2.MaxDrawdown(kind=rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY, amount="2000.00"),
        daily_loss=rules_pb2.DailyLoss(amount="1000.00"),
        profit_target=rules_pb2.ProfitTarget(amount="3000.00"),
        minimum_days=rules_pb2.MinimumDays(days=5),
    )
    settings = settings_pb2.SimulationSettings(paths=paths, horizon_days=60, seed=1)
    return engine_pb2.SimulateInput(trades=trades, rules=rules, settings=settings)


def other_inputs(paths: int) -> Iterator[engine_pb2.SimulateInput]:
    """What is common besides: funded accounts, by drawdown, and the assessment with excursions within trades."""
    for kind in (
        rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY,
        rules_pb2.DRAWDOWN_KIND_TRAILING_INTRADAY,
        rules_pb2.DRAWDOWN_KIND_STATIC,
    ):
        funded = usual_input(paths)
        funded.rules.ClearField("profit_target")
        funded.rules.ClearField("minimum_days")
        funded.rules.max_drawdown.kind = kind
        yield funded
    within_trades = usual_input(paths)
    for trade in within_trades.trades:
        trade.mae, trade.mfe = "-250.00", "250.00"
    yield within_trades
