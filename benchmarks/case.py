"""The one case all peers run: its history, its rules and its size; and the same with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2, settings_pb2

START_MINOR = 5_000_000
BEGIN = datetime(2024, 1, 1, 15, 0, tzinfo=UTC)


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


def typical(paths: int, *, history: int = 0) -> Case:
    """500 trades, 252 steps, wide rules: most paths live long, so the cost a path-step is what is measured."""
    rng = np.random.default_rng(20_260_101 + history)
    pnl = np.round(rng.standard_t(4, 500) * 9_000 + 600).astype(np.int32)
    return Case(pnl_minor=pnl, steps=252, paths=paths, allowance=400_000, daily_loss=60_000, target=600_000)


def as_input(case: Case) -> engine_pb2.SimulateInput:
    """The case as the engine takes it."""
    message = engine_pb2.SimulateInput()
    for day, pnl in enumerate(case.pnl_minor.tolist()):
        trade = message.trades.add(pnl=f"{pnl / 100:.2f}")
        trade.closed_at.FromDatetime(BEGIN + timedelta(days=day))
    rules = message.rules
    rules.starting_balance = f"{START_MINOR // 100}"
    rules.max_drawdown.kind = rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY
    rules.max_drawdown.amount = f"{case.allowance // 100}"
    rules.daily_loss.amount = f"{case.daily_loss // 100}"
    rules.profit_target.amount = f"{case.target // 100}"
    message.settings.paths = case.paths
    message.settings.horizon_days = case.steps
    message.settings.model = settings_pb2.RESAMPLING_MODEL_IID
    message.settings.trades_per_day = 1
    message.settings.seed = case.seed
    return message


def stationary(message: engine_pb2.SimulateInput) -> None:
    """The stationary bootstrap instead of iid, in blocks of eight trades on average."""
    message.settings.model = settings_pb2.RESAMPLING_MODEL_STATIONARY
    message.settings.block_length = 8


def days_of_the_history(message: engine_pb2.SimulateInput) -> None:
    """Days as in the history instead of a fixed number of trades."""
    message.settings.trades_per_day = 0


def three_trades_a_day(message: engine_pb2.SimulateInput) -> None:
    """As many steps on a third of the days."""
    message.settings.trades_per_day = 3
    message.settings.horizon_days //= 3


def most_end_early(message: engine_pb2.SimulateInput) -> None:
    """Levels so near that 95% of the paths end by day 20."""
    message.rules.max_drawdown.amount = "280"
    message.rules.profit_target.amount = "300"


def floor_far_away(message: engine_pb2.SimulateInput) -> None:
    """A floor that one path in 2,000 reaches within 60 days, and no daily loss."""
    message.rules.max_drawdown.amount = "2500"
    message.rules.ClearField("daily_loss")


def every_assessment_rule(message: engine_pb2.SimulateInput) -> None:
    """All that an assessment can have, at levels as wide as those of the typical case."""
    rules = message.rules
    target = rules.profit_target.amount
    rules.ClearField("profit_target")
    rules.max_drawdown.kind = rules_pb2.DRAWDOWN_KIND_TRAILING_INTRADAY
    rules.max_drawdown.percent_of_high_water_mark = "8"
    rules.max_drawdown.lock_balance = "60000"
    rules.daily_loss.percent_of_anchor = "1.2"
    rules.daily_loss.action = rules_pb2.DAILY_LOSS_ACTION_PAUSE
    for _ in range(2):
        phase = rules.phases.add(time_limit_days=200)
        phase.profit_target.amount = target
        phase.minimum_days.days = 5
        phase.minimum_days.min_profit = "50"
        phase.consistency.max_best_day_share = "0.5"


def every_funded_rule(message: engine_pb2.SimulateInput) -> None:
    """All that a funded account can have."""
    rules = message.rules
    rules.ClearField("profit_target")
    rules.max_drawdown.percent_of_high_water_mark = "8"
    rules.daily_loss.percent_of_anchor = "1.2"
    rules.daily_loss.action = rules_pb2.DAILY_LOSS_ACTION_PAUSE
    rules.payout.CopyFrom(
        rules_pb2.Payout(
            every_days=10, floor_balance="50100", max_profit_share="0.5", min_amount="100", caps=["1000", "2000"],
            splits=["0.8", "0.9"], floor_after=rules_pb2.FLOOR_AFTER_PAYOUT_FOLLOW, max_payouts=40,
        )
    )  # fmt: skip
    rules.payout.minimum_days.days = 3
    rules.payout.minimum_days.min_profit = "20"
    rules.payout.consistency.max_best_day_share = "0.6"
    rules.scaling.CopyFrom(rules_pb2.Scaling(every_days=60, min_profit_percent="5", step_percent="25", max_steps=4))


def excursions(message: engine_pb2.SimulateInput) -> None:
    """Every trade with its worst and its best open amount."""
    for trade in message.trades:
        pnl = float(trade.pnl)
        trade.mae, trade.mfe = f"{min(pnl, 0) - 20:.2f}", f"{max(pnl, 0) + 20:.2f}"
