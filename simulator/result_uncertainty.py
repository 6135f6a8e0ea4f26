"""The messages of what goes beyond the paths: scenarios, estimation risk, diagnostics, and why a simulation stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

from montecarlo.v1 import result_pb2
from simulator import estimate, precision
from simulator.diagnostics import Diagnostics
from simulator.estimate import Estimate
from simulator.estimation_risk import Histories, interval
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.scenarios import Paired, plan_under
from simulator.spec import DailyAction, Rules, Scenario
from simulator.supports import of_differences, supports
from simulator.tally import Outcome, Tally

FIELDS: Final = tuple((outcome, outcome.name.lower()) for outcome in Outcome)
"""Each outcome, and the name of its field in the messages."""


def message(figure: Estimate) -> result_pb2.Estimate:
    """An estimate as the contract has it."""
    return result_pb2.Estimate(
        value=figure.value, std_error=figure.std_error, ci_low=figure.ci_low, ci_high=figure.ci_high
    )


def possible(rules: Rules) -> Iterator[tuple[Outcome, str]]:
    """The outcomes that the rules allow, with their fields; those that no rule leads to are left unset."""
    leads_to = {
        Outcome.PASSED: rules.steps[-1].target_minor is not None,
        Outcome.BREACHED_MAX_DRAWDOWN: rules.max_drawdown is not None,
        Outcome.BREACHED_DAILY_LOSS: rules.daily_loss is not None and rules.daily_loss.action is DailyAction.FAIL,
        Outcome.EXPIRED: True,
    }
    return ((outcome, field) for outcome, field in FIELDS if leads_to[outcome])


def outcomes(rules: Rules, figure: Callable[[Outcome], Estimate]) -> result_pb2.Outcomes:
    """A figure of each outcome that the rules allow."""
    return result_pb2.Outcomes(**{field: message(figure(outcome)) for outcome, field in possible(rules)})


def scenario(plan: Plan, asked: Scenario, pair: Paired, unit: float) -> result_pb2.ScenarioResult:
    """A scenario beside the simulation proper; money in `unit`."""
    rules, n, ends = plan.spec.rules, pair.paths, pair.outcomes
    under = cache(lambda: plan_under(plan, asked))
    mean = estimate.mean_of_sums(n, pair.total, pair.squares, lambda: supports(under()).final_pnl)
    difference = estimate.mean_of_sums(
        n, pair.difference_total, pair.difference_squares, lambda: of_differences(plan, under())
    )
    return result_pb2.ScenarioResult(
        name=asked.name,
        outcomes=outcomes(rules, lambda outcome: estimate.probability(ends[outcome], n)),
        differences=outcomes(rules, lambda outcome: estimate.paired_difference(*pair.moved(outcome), n)),
        mean_final_pnl=message(mean.divided(unit)),
        mean_final_pnl_difference=message(difference.divided(unit)),
    )


def estimation_risk(plan: Plan, histories: Histories) -> result_pb2.EstimationRiskResult | None:
    """What the history's shortness leaves open; None where it was not asked for, no interval of too few histories."""
    asked = plan.spec.settings.estimation_risk
    if asked is None or not histories.ends:
        return None
    told = possible(plan.spec.rules) if histories.tell else ()
    found = {field: interval(histories, outcome) for outcome, field in told}
    return result_pb2.EstimationRiskResult(
        histories=len(histories.ends),
        paths_per_history=asked.paths,
        left_out=histories.left_out,
        **{
            field: result_pb2.EstimationInterval(
                mean=each.mean,
                std_dev=each.std_dev,
                low=each.low,
                high=each.high,
                low_std_error=each.low_std_error,
                high_std_error=each.high_std_error,
            )
            for field, each in found.items()
        },
    )


def rare_events(shown: Iterable[RareEvent], unit: float) -> Iterator[result_pb2.RareEventEstimate]:
    """Breaches by importance sampling; the tilt is per `unit` of money."""
    for event in shown:
        yield result_pb2.RareEventEstimate(
            outcome=event.outcome.name.lower(),
            probability=message(event.estimate),
            relative_error=event.relative_error,
            paths=event.paths,
            tilt=-event.weighting.strength * unit,
        )


def diagnostics(found: Diagnostics) -> result_pb2.Diagnostics:
    """What the history can tell."""
    return result_pb2.Diagnostics(
        effective_sample_size=found.effective_sample_size,
        lag_one_autocorrelation=found.lag_one_autocorrelation,
        block_length_reason=found.block_length_reason,
        drift_z=found.drift_z,
        intra_trade=found.intra_trade,
        age_days=None if found.age is None else found.age.days,
    )


def stop_reason(plan: Plan, tally: Tally) -> result_pb2.StopReason.ValueType:
    """Why there are so many paths: it follows from them, as only whole looks stop a simulation for its precision."""
    precise = precision.reached(plan.spec.settings.precision, tally)
    if tally.paths >= plan.paths:
        return result_pb2.STOP_REASON_PRECISION if precise else result_pb2.STOP_REASON_PATHS
    looked_at = precision.is_look(tally.paths // plan.block_paths)
    return result_pb2.STOP_REASON_PRECISION if precise and looked_at else result_pb2.STOP_REASON_TIME
