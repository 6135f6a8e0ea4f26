"""From a plan and the tally of its paths to the message that says what was found, every figure with its error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from montecarlo.v1 import result_pb2, settings_pb2
from simulator import bands, estimate
from simulator import result_uncertainty as beyond
from simulator.bands import Bands
from simulator.caveats import caveats
from simulator.diagnostics import diagnose
from simulator.estimate import ANYWHERE, Estimate, Support
from simulator.found import Found
from simulator.histogram import Histogram
from simulator.history import History
from simulator.planning import Plan
from simulator.rare_event import tells_more
from simulator.result_uncertainty import message as _message
from simulator.shortfall import expected_shortfall
from simulator.spec import DailyAction, Model
from simulator.supports import Supports, supports
from simulator.tally import Tally

LEVELS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Quantiles of every distribution."""

CONFIDENCES: Final = (0.95, 0.99)
"""Levels of value at risk and expected shortfall."""

ENGINE_VERSION: Final = version("montecarlo-risk")

Fields = dict[str, Any]
"""Those of a message. A message is made four times as fast of these as of other messages, and a fan has hundreds."""

_MODELS: Final = {
    Model.IID: settings_pb2.RESAMPLING_MODEL_IID,
    Model.DAY: settings_pb2.RESAMPLING_MODEL_DAY,
    Model.STATIONARY: settings_pb2.RESAMPLING_MODEL_STATIONARY,
    Model.CIRCULAR: settings_pb2.RESAMPLING_MODEL_CIRCULAR,
    Model.NORMAL: settings_pb2.RESAMPLING_MODEL_NORMAL,
    Model.STUDENT_T: settings_pb2.RESAMPLING_MODEL_STUDENT_T,
}


def build(plan: Plan, found: Found | Tally, elapsed_s: float) -> result_pb2.SimulationResult:
    """The result of a simulation. Equal plans and findings give equal results but for `elapsed_s`.

    A tally is that of the paths alone: scenarios, estimation risk and rare events are then left out.

    Raises: ValueError if there is no path.
    """
    sought = not isinstance(found, Tally)
    found = found if isinstance(found, Found) else Found(tally=found)
    rules, tally, seen = plan.spec.rules, found.tally, diagnose(plan)
    minor = float(10**rules.minor_digits)
    days, within = Support(low=1, high=plan.horizon_days), cache(lambda: supports(plan))
    shown = tuple(event for event in found.rare if tells_more(event, tally))
    result = result_pb2.SimulationResult(
        outcomes=beyond.outcomes(rules, lambda end: estimate.probability(tally.outcomes[end], tally.paths)),
        final_pnl=distribution(tally.final_pnl, lambda: within().final_pnl, unit=minor, confidences=CONFIDENCES),
        max_drawdown=distribution(
            tally.max_drawdown, lambda: within().max_drawdown, unit=minor, support=Support(low=0)
        ),
        days_to_pass=distribution(tally.days_to_pass, lambda: within().days, support=days),
        days_to_breach=distribution(tally.days_to_breach, lambda: within().days, support=days),
        trades_to_end=distribution(tally.trades_to_end, lambda: within().trades_to_end, support=Support(low=1)),
        equity_fan=equity_fan(tally.fan, plan, unit=minor) if tally.fan else None,
        paths=tally.paths,
        path_steps=tally.steps,
        seed=plan.seed,
        model=_MODELS[plan.model],
        block_length=plan.block_length,
        horizon_days=plan.horizon_days,
        currency=rules.currency,
        history=history_summary(plan.history, unit=minor),
        warnings=caveats(plan, tally, seen, [event.outcome for event in shown] if sought else None, found.histories),
        engine_version=ENGINE_VERSION,
        input_digest=plan.input_digest,
        elapsed_s=elapsed_s,
        scenarios=[
            beyond.scenario(plan, each, pair, minor)
            for each, pair in zip(plan.spec.settings.scenarios, found.pairs, strict=False)
        ],
        estimation_risk=beyond.estimation_risk(plan, found.histories),
        rare_events=beyond.rare_events(shown, minor),
        diagnostics=beyond.diagnostics(seen),
        stop_reason=beyond.stop_reason(plan, tally),
    )
    _add_what_rules_call_for(result, plan, tally, within)
    return result


def _add_what_rules_call_for(
    result: result_pb2.SimulationResult, plan: Plan, tally: Tally, within: Callable[[], Supports]
) -> None:
    """Figures that only some rules have."""
    rules, from_zero = plan.spec.rules, Support(low=0)
    if rules.payout is not None:
        paid = distribution(
            tally.payout, lambda: within().payout, unit=float(10**rules.minor_digits), support=from_zero
        )
        result.payout.CopyFrom(paid)
        result.payouts.CopyFrom(distribution(tally.payouts, lambda: within().payouts, support=from_zero))
    if rules.daily_loss is not None and rules.daily_loss.action is DailyAction.PAUSE:
        days = Support(low=0, high=plan.horizon_days)
        result.paused_days.CopyFrom(distribution(tally.paused_days, lambda: within().paused_days, support=days))
    for number, phase in enumerate(tally.phases, start=1):
        if number >= plan.spec.account.phase:
            result.phases.add(
                phase=number,
                reached=_message(estimate.probability(phase.reached, tally.paths)),
                passed=_message(estimate.probability(phase.passed, tally.paths)),
            )


def distribution(
    values: Histogram,
    possible: Callable[[], Support],
    *,
    unit: float = 1,
    support: Support = ANYWHERE,
    confidences: Sequence[float] = (),
) -> result_pb2.Distribution:
    """Mean, quantiles and, where asked, tails; figures in `unit`, the support in that of the values, as is what is
    possible, by which a mean of equal values is bounded.
    """
    if not values.count:
        return result_pb2.Distribution(count=0)
    quantiles = zip(LEVELS, estimate.quantiles(values, LEVELS, support), strict=True)
    found: Fields = {
        "count": values.count,
        "mean": _fields(estimate.mean(values, support, possible), unit),
        "quantiles": [{"probability": level, "estimate": _fields(figure, unit)} for level, figure in quantiles],
        "tails": [
            {
                "confidence": confidence,
                "value_at_risk": _fields(estimate.value_at_risk(values, confidence), unit),
                "expected_shortfall": _fields(expected_shortfall(values, confidence), unit),
            }
            for confidence in confidences
        ],
    }
    return result_pb2.Distribution(**found)


def equity_fan(fan: Bands, plan: Plan, *, unit: float) -> result_pb2.EquityFan:
    """Quantiles of the balance on each shown day."""
    balances = (fan.values + np.float64(plan.spec.account.balance_minor)) / unit
    low = np.where(fan.bounds_known[:, 0], balances[:, :, 0], -math.inf)
    high = np.where(fan.bounds_known[:, 1], balances[:, :, 2], math.inf)
    figures = np.stack([balances[:, :, 1], (high - low) / (2 * estimate.Z), low, high], axis=-1)
    days = zip(plan.shown_days.tolist(), figures.tolist(), strict=True)
    found: Fields = {"paths": fan.paths, "days": [_fan_day(day, quantiles) for day, quantiles in days]}
    return result_pb2.EquityFan(**found)


def _fan_day(day: int, quantiles: Sequence[tuple[float, float, float, float]]) -> Fields:
    return {
        "day": day,
        "quantiles": [
            {
                "probability": level,
                "estimate": {"value": value, "std_error": std_error, "ci_low": low, "ci_high": high},
            }
            for level, (value, std_error, low, high) in zip(bands.LEVELS, quantiles, strict=True)
        ],
    }


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


def _fields(figure: Estimate, unit: float) -> Fields:
    """The fields of an estimate, in `unit`."""
    return {
        "value": figure.value / unit,
        "std_error": figure.std_error / unit,
        "ci_low": figure.ci_low / unit,
        "ci_high": figure.ci_high / unit,
    }
