"""Trades as CSV and rules as YAML or JSON, to the engine's message. Errors name row, column and remedy."""

from __future__ import annotations

from pathlib import Path

from montecarlo.engine.v1 import engine_pb2
from riskio.invalid import InvalidFile
from riskio.rules_yaml import read_rules
from riskio.trades_csv import COLUMNS, lines_of_trades, read_trades

__all__ = ["COLUMNS", "InvalidFile", "lines_of_trades", "read_input", "read_rules", "read_trades"]


def read_input(trades: Path, rules: Path) -> engine_pb2.SimulateInput:
    """The input that two files hold, with all settings left open.

    Raises: InvalidFile, OSError.
    """
    account_rules, account = read_rules(rules)
    message = engine_pb2.SimulateInput(trades=read_trades(trades), rules=account_rules)
    if account is not None:
        message.account.CopyFrom(account)
    return message
