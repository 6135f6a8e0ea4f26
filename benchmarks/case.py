"""The one case all peers run: its history, its rules and its size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import settings_pb2

START_MINOR = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One trade a day under a static floor, an end-of-day trailing floor, a daily loss and a target; minor units.

    The two floors cannot both be rules of one account: the peers test both, as a stand-in for the fixed floor that a
    locked trailing drawdown has. With `static_floor` at 0 the engine's rules and the peers' are the same.
    """

    pnl_minor: npt.NDArray[np.int32]
    steps: int
    paths: int
    allowance: int
    daily_loss: int
    target: int
    static_floor: int = 0
    seed: int = 7


def typical(paths: int) -> Case:
    """500 trades, 252 steps, wide rules: most paths live long, so the cost a path-step is what is measured."""
    rng = np.random.default_rng(20_260_101)
    pnl = np.round(rng.standard_t(4, 500) * 9_000 + 600).astype(np.int32)
    return Case(pnl_minor=pnl, steps=252, paths=paths, allowance=400_000, daily_loss=60_000, target=600_000)


def as_input(case: Case) -> engine_pb2.SimulateInput:
    """The case as the engine takes it."""
    message = engine_pb2.SimulateInput()
    begin = datetime(2024, 1, 1, 15, 0, tzinfo=UTC)
    for day, pnl in enumerate(case.pnl_minor.tolist()):
        trade = message.trades.add(pnl=f"{pnl / 100:.2f}")
        trade.closed_at.FromDatetime(begin + timedelta(days=day))
    rules = message.rules
    rules.starting_balance = f"{START_MINOR // 100}"
    rules.max_drawdown.kind = 2
    rules.max_drawdown.amount = f"{case.allowance // 100}"
    rules.daily_loss.amount = f"{case.daily_loss // 100}"
    rules.profit_target.amount = f"{case.target // 100}"
    message.settings.paths = case.paths
    message.settings.horizon_days = case.steps
    message.settings.model = settings_pb2.RESAMPLING_MODEL_IID
    message.settings.trades_per_day = 1
    message.settings.seed = case.seed
    return message
