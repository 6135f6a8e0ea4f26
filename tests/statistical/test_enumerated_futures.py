"""Every future of a small account, with its exact probability, against how often the engine draws what it leads to.

A future is played by the plain rule book (`tests.reference.rule_book`, itself held to closed forms); here its weight is
found from the definition of the model. What the engine yields of a path is compared as a whole: outcome, P&L, largest
fall, days, trades, phase, payouts and pauses, all at once.

False alarms: seeds are fixed; each chi-square fails a right engine with probability 1e-6, any of them with 3e-5. A cell
that no future leads to must be empty, and has no false alarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from simulator import engine
from simulator.engine import Plan
from simulator.spec import Settings
from simulator.tally import Finished
from tests.reference.rule_book import Deal, play
from tests.statistical.futures import MODELS, RULES, Case, futures
from tests.unit.simulator.samples import plan_of

BLOCKS = 4
P_VALUE = 1e-6
FEWEST = 5
"""Cells that are expected less often than this are put together."""


def cell(figures: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(each) for each in figures)


def expected(case: Case) -> dict[tuple[int, ...], float]:
    """The probability of each way a path can go."""
    found: dict[tuple[int, ...], Fraction] = {}
    for days, weight in futures(case):
        end = play([[Deal(pnl) for pnl in day] for day in days], case.rules, case.account)
        kept = (end.outcome, end.final_pnl, end.max_drawdown, end.days, end.trades)
        key = cell((*kept, end.phase, end.paid, end.payouts, end.paused_days))
        found[key] = found.get(key, Fraction(0)) + weight
    assert sum(found.values()) == 1
    return {key: float(weight) for key, weight in found.items()}


def plan_for(case: Case) -> Plan:
    settings = Settings(
        paths=BLOCKS * engine.BLOCK_PATHS, horizon_days=case.days, model=case.model, block_length=case.block_length,
        trades_per_day=case.trades_per_day, stress=case.stress, seed=41,
    )  # fmt: skip
    return plan_of(settings, days=case.history, rules=case.rules, account=case.account)


def observed(plan: Plan) -> Counter[tuple[int, ...]]:
    """How often the engine's paths go each way."""
    counts: Counter[tuple[int, ...]] = Counter()
    for block in range(plan.blocks):
        rows, times = np.unique(figures(engine.finished(plan, block)), axis=0, return_counts=True)
        counts.update({cell(row): int(time) for row, time in zip(rows, times, strict=True)})
    return counts


def figures(finished: Finished) -> np.ndarray:
    """int[paths, 9], as `expected` has them."""
    zero = np.zeros(finished.outcome.size, np.int32)
    kept = (finished.outcome, finished.final_pnl, finished.max_drawdown, finished.days, finished.trades)
    optional = (finished.phase, finished.payout, finished.payouts, finished.paused_days)
    return np.stack([*kept, *(zero if each is None else each for each in optional)], axis=1)


CASES = RULES | MODELS
SHOWN_EACH_TIME = {"phases", "payout", "stationary, whose n x L is no whole number"}


@pytest.mark.parametrize(
    "name", [name if name in SHOWN_EACH_TIME else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_paths_go_each_way_as_often_as_its_futures_weigh(name: str) -> None:
    case = CASES[name]
    plan = plan_for(case)
    # The plan may have changed a block's mean length a little; it says so.
    chances, counts = expected(replace(case, block_length=plan.block_length)), observed(plan)
    assert counts.keys() <= chances.keys()
    paths = counts.total()
    often = [key for key, chance in chances.items() if chance * paths >= FEWEST]
    seen = [counts[key] for key in often]
    hoped = [chances[key] * paths for key in often]
    if len(often) < len(chances):
        seen, hoped = [*seen, paths - sum(seen)], [*hoped, paths - sum(hoped)]
    assert len(seen) > 5
    assert stats.chisquare(seen, hoped).pvalue > P_VALUE
