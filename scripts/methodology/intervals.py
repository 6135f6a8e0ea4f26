"""How often nominal 95% intervals hold the truth, and what stopping at a precision does to that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np

from montecarlo.v1.result_pb2 import Estimate, SimulationResult
from scripts.methodology.accounts import sample, sample_plan
from simulator import precision, result, sections
from simulator.estimate import probability
from simulator.launching import Launcher
from simulator.planning import BLOCK_PATHS, Plan
from simulator.sections import Section
from simulator.spec import PrecisionTarget, Scenario, Settings, Stress
from simulator.tally import Outcome, Tally

RUNS: Final = 400
SIZES: Final = (1_024, 8_192)
"""Paths of a run: a block of a longer simulation, whose paths are as independent of others as those of another seed."""

TRUE_BLOCKS: Final = 1_024
STOPS: Final = 100_000

FIGURES: Final[dict[str, Callable[[SimulationResult], Estimate]]] = {
    "P(passed)": lambda found: found.outcomes.passed,
    "P(breached drawdown)": lambda found: found.outcomes.breached_max_drawdown,
    "mean final P&L": lambda found: found.final_pnl.mean,
    "median drawdown": lambda found: found.max_drawdown.quantiles[3].estimate,
    "95% quantile of drawdown": lambda found: found.max_drawdown.quantiles[5].estimate,
    "value at risk 95%": lambda found: found.final_pnl.tails[0].value_at_risk,
    "value at risk 99%": lambda found: found.final_pnl.tails[1].value_at_risk,
    "expected shortfall 95%": lambda found: found.final_pnl.tails[0].expected_shortfall,
    "expected shortfall 99%": lambda found: found.final_pnl.tails[1].expected_shortfall,
    "mean days to breach": lambda found: found.days_to_breach.mean,
    "scenario: difference of P(passed)": lambda found: found.scenarios[0].differences.passed,
    "scenario: difference of mean P&L": lambda found: found.scenarios[0].mean_final_pnl_difference,
}


def coverage() -> dict[str, Any]:
    """The share of runs of either size whose interval holds what a long simulation of another seed found."""
    shares = {str(paths): held_by(paths) for paths in SIZES}
    return {"runs": RUNS, "shares": shares}


def held_by(paths: int) -> dict[str, float]:
    """Closed balances alone are looked at, so that no figure is an atom at a floor."""
    small = in_blocks(RUNS, paths, seed=1)
    long = built(in_blocks(TRUE_BLOCKS, SIZES[0], seed=2))
    truth = {name: figure(long).value for name, figure in FIGURES.items()}
    hits = dict.fromkeys(FIGURES, 0)
    for block in range(RUNS):
        run = built(small, block, 1)
        for name, figure in FIGURES.items():
            hits[name] += figure(run).ci_low <= truth[name] <= figure(run).ci_high
    return {name: count / RUNS for name, count in hits.items()}


def in_blocks(blocks: int, paths: int, seed: int) -> Plan:
    """A simulation of so many blocks of so many paths, with a scenario beside it."""
    worse = Scenario(name="worse", stress=Stress(loss_factor=1.1))
    settings = Settings(
        paths=blocks * paths, horizon_days=30, seed=seed, scenarios=(worse,), excursions=False, rare_events=False
    )
    return replace(sample_plan(sample("reverter"), settings), block_paths=paths, blocks=blocks, fan_paths=0)


def built(plan: Plan, first: int = 0, blocks: int | None = None) -> SimulationResult:
    """The result of these blocks, of all of them if none are named."""
    with Launcher(1) as launcher:
        return result.build(plan, sections.run(plan, Section.PATHS, first, blocks or plan.blocks, launcher), 0.0)


def stopping() -> list[dict[str, Any]]:
    """Bias and coverage where a simulation stops at the first look at which its interval is narrow enough."""
    first = precision.FIRST_LOOK * BLOCK_PATHS
    found = []
    for p in (0.3, 1e-3, 1e-5):
        sd = float(np.sqrt(first * p * (1 - p)))
        counts = sorted({max(0, round(first * p + away * sd)) for away in (-2, -1, 0, 1)})
        found += [stopped(p, count) for count in counts]
    return found


def stopped(p: float, at_first: int) -> dict[str, Any]:
    """The half-width asked for is the one that this count of events at the first look just gives."""
    first = precision.FIRST_LOOK * BLOCK_PATHS
    wanted = half_width(at_first, first)
    rng = np.random.default_rng(91)
    counts = rng.binomial(first, p, STOPS)
    paths = np.full(STOPS, first)
    while (late := np.array([half_width(int(k), int(n)) > wanted for k, n in zip(counts, paths, strict=True)])).any():
        counts[late] += rng.binomial(paths[late], p)
        paths[late] *= 2
    figures = [probability(int(count), int(n)) for count, n in zip(counts, paths, strict=True)]
    bias = float(np.mean([each.value for each in figures])) - p
    return {
        "p": p,
        "half_width": wanted,
        "stopped at the first look": float((paths == first).mean()),
        "bias": bias,
        "bias in half-widths": bias / wanted,
        "coverage": sum(each.ci_low <= p <= each.ci_high for each in figures) / STOPS,
    }


@cache
def half_width(count: int, paths: int) -> float:
    """As the engine looks at it."""
    tally = replace(Tally.empty(), paths=paths, outcomes=(count, 0, 0, paths - count))
    target = PrecisionTarget(outcome=Outcome.PASSED.name.lower(), half_width=1.0)
    return precision.half_width(target, tally)
