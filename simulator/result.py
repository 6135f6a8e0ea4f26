"""From a plan and the tally of its paths to the message that says what was found, every figure with its error."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
import numpy.typing as npt

from montecarlo.v1 import result_pb2, settings_pb2
from simulator import estimate
from simulator.caveats import caveats
from simulator.estimate import ANYWHERE, Estimate, Support
from simulator.histogram import COARSE_GRAIN, Histogram
from simulator.history import History
from simulator.planning import Plan
from simulator.spec import Model
from simulator.tally import Tally

LEVELS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Quantiles of every distribution."""

FAN_LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of the balance on each shown day."""

CONFIDENCES: Final = (0.95, 0.99)
"""Levels of value at risk and expected shortfall."""

ENGINE_VERSION: Final = version("montecarlo-risk")

_MODELS: Final = {
    Model.IID: settings_pb2.RESAMPLING_MODEL_IID,
    Model.DAY: settings_pb2.RESAMPLING_MODEL_DAY,
    Model.STATIONARY: settings_pb2.RESAMPLING_MODEL_STATIONARY,
}


def build(plan: Plan, tally: Tally, elapsed_s: float) -> result_pb2.SimulationResult:
    """The result of a whole simulation. Equal plans and tallies give equal results but for `elapsed_s`.

    Raises: ValueError if the tally holds no path.
    """
    rules = plan.spec.rules
    minor = float(10**rules.minor_digits)
    days = Support(low=1, high=plan.horizon_days)
    return result_pb2.SimulationResult(
        outcomes=outcomes(tally),
        final_pnl=distribution(tally.final_pnl, unit=minor, confidences=CONFIDENCES),
        max_drawdown=distribution(tally.max_drawdown, unit=minor, support=Support(low=0)),
        days_to_pass=distribution(tally.days_to_pass, support=days),
        days_to_breach=distribution(tally.days_to_breach, support=days),
        trades_to_end=distribution(tally.trades_to_end, support=Support(low=1)),
        equity_fan=equity_fan(tally, plan.shown_days, start_minor=plan.spec.account.balance_minor, unit=minor),
        paths=tally.paths,
        path_steps=tally.steps,
        seed=plan.seed,
        model=_MODELS[plan.model],
        block_length=plan.block_length,
        horizon_days=plan.horizon_days,
        currency=rules.currency,
        history=history_summary(plan.history, unit=minor),
        warnings=caveats(plan.history, rules, tally),
        engine_version=ENGINE_VERSION,
        input_digest=plan.input_digest,
        elapsed_s=elapsed_s,
    )


def outcomes(tally: Tally) -> result_pb2.Outcomes:
    """The probability of each way to end."""
    passed, max_drawdown, daily_loss, expired = (
        _message(estimate.probability(count, tally.paths)) for count in tally.outcomes
    )
    return result_pb2.Outcomes(
        passed=passed, breached_max_drawdown=max_drawdown, breached_daily_loss=daily_loss, expired=expired
    )


def distribution(
    values: Histogram, *, unit: float = 1, support: Support = ANYWHERE, confidences: Sequence[float] = ()
) -> result_pb2.Distribution:
    """Mean, quantiles and, where asked, tails; figures in `unit`, the support in that of the values."""
    if not values.count:
        return result_pb2.Distribution(count=0)
    return result_pb2.Distribution(
        count=values.count,
        mean=_message(estimate.mean(values, support).divided(unit)),
        quantiles=[_quantile(level, estimate.quantile(values, level, support).divided(unit)) for level in LEVELS],
        tails=[
            result_pb2.TailRisk(
                confidence=confidence,
                value_at_risk=_message(estimate.value_at_risk(values, confidence).divided(unit)),
                expected_shortfall=_message(estimate.expected_shortfall(values, confidence).divided(unit)),
            )
            for confidence in confidences
        ],
    )


def equity_fan(
    tally: Tally, shown_days: npt.NDArray[np.int32], *, start_minor: int, unit: float
) -> result_pb2.EquityFan:
    """Quantiles of the balance on each shown day."""
    days = []
    for day, moved in zip(shown_days.tolist(), tally.fan, strict=True):
        figures = (estimate.quantile(moved, level, grain=COARSE_GRAIN) for level in FAN_LEVELS)
        quantiles = [
            _quantile(level, figure.shifted(start_minor).divided(unit))
            for level, figure in zip(FAN_LEVELS, figures, strict=True)
        ]
        days.append(result_pb2.FanDay(day=day, quantiles=quantiles))
    return result_pb2.EquityFan(paths=tally.fan[0].count, days=days)


def history_summary(history: History, *, unit: float) -> result_pb2.HistorySummary:
    """The history in numbers."""
    return result_pb2.HistorySummary(
        trades=history.trades,
        days=history.days,
        mean_pnl=int(history.pnl_minor.sum(dtype="int64")) / history.trades / unit,
        win_rate=int((history.pnl_minor > 0).sum()) / history.trades,
        first_day=history.first_day.isoformat(),
        last_day=history.last_day.isoformat(),
    )


def _quantile(level: float, figure: Estimate) -> result_pb2.Quantile:
    return result_pb2.Quantile(probability=level, estimate=_message(figure))


def _message(figure: Estimate) -> result_pb2.Estimate:
    return result_pb2.Estimate(
        value=figure.value, std_error=figure.std_error, ci_low=figure.ci_low, ci_high=figure.ci_high
    )
