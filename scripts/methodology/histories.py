"""What a short history leaves open: both errors as it grows, and how often the wider interval holds the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scripts.methodology.accounts import plan_of, sample, sample_plan, simulated, walls
from scripts.methodology.dependence import returns
from simulator.spec import EstimationRisk, Model, Settings

TRADER: Final = "martingale"
LENGTHS: Final = (30, 60, 125, 250, 500, 750)
TRIALS: Final = 400
TRIAL_LENGTHS: Final = (30, 60, 125, 250, 500)
TRUE_PATHS: Final = 1 << 20
DAYS: Final = 60
RULES: Final = walls(200_000, 300_000)
UNIT, DRIFT = 40_000, 6_000
"""Minor units of the scale of a trade, and of its mean."""

Draw = Callable[[int, np.random.Generator], list[int]]
"""A history of so many trades of one trader."""


def growing() -> list[dict[str, Any]]:
    """P(pass) by the first so many trades of a sample trader, with either error."""
    spec, found = sample(TRADER), []
    for trades in LENGTHS:
        settings = Settings(
            paths=1 << 16, horizon_days=60, seed=1, estimation_risk=EstimationRisk(histories=200, paths=1_024)
        )
        result = simulated(sample_plan(spec, settings, trades))
        passed, risk = result.outcomes.passed, result.estimation_risk.passed
        found.append(
            {
                "trades": trades,
                "passed": passed.value,
                "sampling": [passed.ci_low, passed.ci_high],
                "estimation": [risk.low, risk.high],
                "warnings": [each.code for each in result.warnings],
            }
        )
    return found


def held() -> dict[str, Any]:
    """How often the estimation-risk interval of a history holds P(pass) and P(breach) of whom the history is of."""
    return {"trials": TRIALS, "independent": independent(), "dependent": dependent()}


def independent() -> dict[str, Any]:
    """Histories of heavy-tailed trades, drawn one by one from a population."""
    truth = true_of_population()
    rows = [{"trades": trades, **shares(of_population, trades, truth, Model.IID)} for trades in TRIAL_LENGTHS]
    return {"truth": truth, "rows": rows}


def dependent() -> dict[str, Any]:
    """Histories of normal trades that lean to the last one."""
    rng, truth = np.random.default_rng(82), np.zeros(2)
    for _ in range(10):
        at = returns(TRUE_PATHS // 10, DAYS, rng).cumsum(axis=0) * UNIT + np.arange(1, DAYS + 1)[:, None] * DRIFT
        passes, breaches = first(at >= 300_000), first(at <= -200_000)
        truth += [(passes < breaches).mean() / 10, (breaches < passes).mean() / 10]
    rows = [{"trades": trades, **shares(leaning, trades, truth.tolist(), Model.STATIONARY)} for trades in TRIAL_LENGTHS]
    return {"truth": truth.tolist(), "rows": rows}


def first(reached: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """The first day on which each series is there; after the last if it never is."""
    return np.where(reached.any(axis=0), reached.argmax(axis=0), len(reached))


@cache
def population() -> list[int]:
    """5,000 heavy-tailed trades: what a trader is in truth."""
    draws = np.random.default_rng(81).standard_t(4, 5_000) * UNIT + DRIFT
    return [round(each) for each in draws.tolist()]


def true_of_population() -> tuple[float, float]:
    """P(pass) and P(breach) of the population itself."""
    settings = Settings(paths=TRUE_PATHS, horizon_days=DAYS, model=Model.IID, trades_per_day=1, seed=2)
    outcomes = simulated(plan_of(population(), RULES, settings)).outcomes
    return outcomes.passed.value, outcomes.breached_max_drawdown.value


def of_population(trades: int, rng: np.random.Generator) -> list[int]:
    """Independent trades of the population."""
    drawn: list[int] = rng.choice(population(), trades).tolist()
    return drawn


def leaning(trades: int, rng: np.random.Generator) -> list[int]:
    """Each trade leans to the one before."""
    drawn: list[int] = np.rint(returns(1, trades, rng)[:, 0] * UNIT + DRIFT).astype(int).tolist()
    return drawn


def shares(
    draw: Draw, trades: int, truth: Sequence[float], model: Model, *, trials: int = TRIALS, histories: int = 200
) -> dict[str, float]:
    """In what share of the trials, each with a history of its own, an interval held the truth."""
    rng, held, widths = np.random.default_rng(trades), np.zeros(3), []
    for trial in range(trials):
        settings = Settings(
            paths=2_048, horizon_days=DAYS, model=model, trades_per_day=1, seed=trial, rare_events=False,
            estimation_risk=EstimationRisk(histories=histories, paths=256),
        )  # fmt: skip
        plan = plan_of(draw(trades, rng), RULES, settings)
        found = simulated(replace(plan, block_paths=256, blocks=8, fan_paths=0))
        risk, sampling = found.estimation_risk, found.outcomes.passed
        held += [
            risk.passed.low <= truth[0] <= risk.passed.high,
            risk.breached_max_drawdown.low <= truth[1] <= risk.breached_max_drawdown.high,
            sampling.ci_low <= truth[0] <= sampling.ci_high,
        ]
        widths.append(risk.passed.high - risk.passed.low)
    passed, breached, sampled = (held / trials).tolist()
    return {"passed": passed, "breached": breached, "sampling": sampled, "median width": float(np.median(widths))}
