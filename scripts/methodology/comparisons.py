"""Two ways to the same figure: weighted draws beside plain ones, and common random numbers beside independent ones."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt
from typing import Any, Final

import numpy as np

from scripts.methodology.accounts import by_importance, plan_of, sample, sample_plan, simulated, walls
from scripts.methodology.oracles import coin
from simulator import conditions, engine, estimate
from simulator.spec import DailyLoss, DrawdownKind, Model, Scenario, Settings, Stress
from simulator.tally import Outcome

DISTANCES: Final = (10, 20, 30, 40, 50, 65, 80, 104)
PLAIN_PATHS: Final = 1 << 14
SEEDS: Final = 25

SCENARIOS: Final = (
    Scenario(name="losses × 1.1", stress=Stress(loss_factor=1.1)),
    Scenario(name="volatility × 1.1", stress=Stress(volatility_factor=1.1)),
    Scenario(name="cost 5.00 a trade", stress=Stress(cost_minor=500)),
    Scenario(name="5% fewer winners", stress=Stress(fewer_winners=0.05)),
    Scenario(name="worst day once more", stress=Stress(worst_day=True)),
    Scenario(name="limits × 0.9", limits_factor=0.9),
)


def rare_events() -> list[dict[str, Any]]:
    """P(ruin) of a walk up with .55, by either way, beside (9/11)^z."""
    found = []
    for room in DISTANCES:
        days = 1_000 + 20 * room
        settings = Settings(paths=PLAIN_PATHS, horizon_days=days, model=Model.IID, trades_per_day=1, seed=51)
        plan = plan_of(coin(11, 9), walls(room), settings)
        plain = engine.simulate(plan, threads=1).outcomes[Outcome.BREACHED_MAX_DRAWDOWN]
        [event] = by_importance(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
        interval, weighted = estimate.probability(plain, PLAIN_PATHS), event.estimate
        found.append(
            {
                "distance": room,
                "exact": (9 / 11) ** room,
                "plain": [interval.value, interval.ci_low, interval.ci_high],
                "weighted": [weighted.value, weighted.ci_low, weighted.ci_high],
            }
        )
    return found


def heavy_tailed() -> list[int]:
    """300 trades with fat tails."""
    draws = np.random.default_rng(1).standard_t(4, 300) * 90 + 20
    return [round(each) for each in draws.tolist()]


def rare_daily() -> dict[str, Any]:
    """A rare daily loss beside a drawdown floor five times as far."""
    rules = replace(walls(10_000), daily_loss=DailyLoss(limit_minor=1_900))
    settings = Settings(horizon_days=60, trades_per_day=6, rare_events=False)
    plain = plan_of(heavy_tailed(), rules, replace(settings, paths=1 << 20, seed=99))
    seen = engine.simulate(plain, threads=1).outcomes[Outcome.BREACHED_DAILY_LOSS]
    truth, rows = estimate.probability(seen, plain.paths), []
    for seed in (1, 2, 3):
        plan = plan_of(heavy_tailed(), rules, replace(settings, paths=1, seed=seed))
        for event in by_importance(plan, [Outcome.BREACHED_DAILY_LOSS]):
            found = event.estimate
            rows.append({"weighted": [found.value, found.ci_low, found.ci_high], "error": event.relative_error})
    return {"plain": [truth.value, truth.ci_low, truth.ci_high], "rows": rows}


def rare_scatter() -> dict[str, Any]:
    """Many seeds of one rare breach of heavy-tailed trades: do the figures scatter as their errors say?"""
    pnls = heavy_tailed()
    figures, errors = [], []
    for seed in range(SEEDS):
        settings = Settings(paths=1, horizon_days=120, trades_per_day=1, seed=seed)
        plan = plan_of(pnls, walls(4_500, kind=DrawdownKind.TRAILING_END_OF_DAY), settings)
        [event] = by_importance(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
        figures.append(event.probability)
        errors.append(event.relative_error)
    logs = np.log(figures)
    truth = log(float(np.mean(figures)))
    return {
        "seeds": SEEDS,
        "mean": float(np.mean(figures)),
        "stated relative error": float(np.sqrt(np.mean(np.square(errors)))),
        "scatter": float(logs.std(ddof=1)),
        "held": float(np.mean(np.abs(logs - truth) <= estimate.Z * np.array(errors))),
    }


def scenarios() -> list[dict[str, Any]]:
    """Differences of P(passed) with their intervals: matched pairs, and two simulations of unlike seeds."""
    settings = Settings(paths=1 << 14, horizon_days=60, seed=61, rare_events=False)
    spec, rows = sample("steady"), []
    base = simulated(sample_plan(spec, replace(settings, scenarios=SCENARIOS)))
    for scenario, paired in zip(SCENARIOS, base.scenarios, strict=True):
        under = conditions.spec_of(spec, scenario)
        alone = simulated(sample_plan(under, replace(settings, stress=under.settings.stress, seed=62)))
        theirs, ours = alone.outcomes.passed, base.outcomes.passed
        half = estimate.Z * sqrt(theirs.std_error**2 + ours.std_error**2)
        difference = theirs.value - ours.value
        together = paired.differences.passed
        rows.append(
            {
                "name": scenario.name,
                "paired": [together.value, together.ci_low, together.ci_high],
                "independent": [difference, difference - half, difference + half],
            }
        )
    return rows
