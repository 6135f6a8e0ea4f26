"""What a short history leaves open: both errors as it grows, and how often the wider interval holds the truth."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from scripts.methodology.accounts import plan_of, sample, sample_plan, simulated, walls
from simulator.spec import EstimationRisk, Model, Settings

TRADER: Final = "martingale"
LENGTHS: Final = (30, 60, 125, 250, 500, 750)
TRIALS: Final = 100
TRIAL_LENGTHS: Final = (30, 60, 125, 500)
RULES: Final = walls(200_000, 300_000)


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


def population() -> list[int]:
    """5,000 heavy-tailed trades: what a trader is in truth."""
    draws = np.random.default_rng(81).standard_t(4, 5_000) * 40_000 + 6_000
    return [round(each) for each in draws.tolist()]


def held() -> dict[str, Any]:
    """How often the estimation-risk interval of a history of independent trades holds P(pass) of its population."""
    people = population()
    plain = Settings(paths=1 << 17, horizon_days=60, model=Model.IID, trades_per_day=1, seed=2)
    truth = simulated(plan_of(people, RULES, plain)).outcomes.passed.value
    rows = [{"trades": trades, **of_length(people, trades, truth)} for trades in TRIAL_LENGTHS]
    return {"truth": truth, "trials": TRIALS, "rows": rows}


def of_length(people: list[int], trades: int, truth: float) -> dict[str, float]:
    """Shares of the trials, each with a history of its own."""
    rng, estimation, sampling, widths = np.random.default_rng(trades), 0, 0, []
    for trial in range(TRIALS):
        history = rng.choice(people, trades).tolist()
        settings = Settings(
            paths=2_048, horizon_days=60, model=Model.IID, trades_per_day=1, seed=trial, rare_events=False,
            estimation_risk=EstimationRisk(histories=60, paths=256),
        )  # fmt: skip
        found = simulated(plan_of(history, RULES, settings))
        risk, plain = found.estimation_risk.passed, found.outcomes.passed
        estimation += risk.low <= truth <= risk.high
        sampling += plain.ci_low <= truth <= plain.ci_high
        widths.append(risk.high - risk.low)
    return {
        "estimation": estimation / TRIALS,
        "sampling": sampling / TRIALS,
        "median width": float(np.median(widths)),
    }
