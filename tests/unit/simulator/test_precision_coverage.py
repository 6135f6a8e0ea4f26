"""The 95% interval of a simulation that stopped for its precision covers in 92% to 98% of runs, and its bias is small.

What stops is a figure that looks precise, and of a probability below one half that is one with too few events: it is
too low, by at most 0.15 half-widths of the interval. The bias is largest where stopping at the first look is a matter
of chance, so the targets are placed there. `tests.unit.simulator.coverage` says how sure a coverage is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripts.methodology.intervals import half_width, stopped
from simulator import crew, estimate, precision
from simulator.planning import BLOCK_PATHS
from simulator.spec import Model, PrecisionTarget, Rules, Settings
from simulator.tally import Outcome
from tests.statistical.closed_forms import ruin_within
from tests.statistical.simulation import FRESH, START
from tests.unit.simulator.coverage import RUNS, assert_nominal, holds
from tests.unit.simulator.samples import plan_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LARGEST_BIAS = 0.15
"""In half-widths of the interval."""

BLOCK = 256
HISTORY = (-4, -3, -2, -1, -1, 1, 1, 2, 3, 4)
TARGET, DAYS = 9, 10


def test_stopped_simulations_cover_nominally_with_a_small_bias_downwards() -> None:
    """Of the engine, in blocks so small that the first look is at 1,024 paths.

    The standard error of the bias is 0.016 half-widths: a bias of 0.1 fails with probability 2e-3.
    """
    truth = ruin_within([-each for each in HISTORY], TARGET, DAYS)
    first = precision.FIRST_LOOK * BLOCK
    wanted = half_width(round(first * truth), first)
    settings = Settings(
        paths=64 * BLOCK, horizon_days=DAYS, model=Model.IID, trades_per_day=1, rare_events=False,
        precision=(PrecisionTarget(outcome="passed", half_width=wanted),),
    )  # fmt: skip
    rules, days = Rules(starting_balance_minor=START, target_minor=START + TARGET), [[each] for each in HISTORY]
    hits, off, at_first = 0, [], 0
    for seed in range(RUNS):
        planned = plan_of(replace(settings, seed=seed), days=days, rules=rules, account=FRESH)
        tally = crew.simulate(replace(planned, block_paths=BLOCK, blocks=64, fan_paths=0), threads=1).tally
        found = estimate.probability(tally.outcomes[Outcome.PASSED], tally.paths)
        assert (found.ci_high - found.ci_low) / 2 <= wanted
        hits += holds(found, truth)
        off.append((found.value - truth) / wanted)
        at_first += tally.paths == first
    assert 0.3 < at_first / RUNS < 0.7
    assert -LARGEST_BIAS < np.mean(off) < 0
    assert_nominal(hits / RUNS)


@pytest.mark.parametrize("p", [0.3, 1e-3, 1e-5])
@pytest.mark.parametrize("away", [-2, -1, 0, 1])
def test_the_rule_itself_does_so_wherever_the_target_is(p: float, away: int) -> None:
    """100,000 repetitions of binomial counts; `away`: of the first count that is wanted, in standard deviations."""
    first = precision.FIRST_LOOK * BLOCK_PATHS
    found = stopped(p, max(0, round(first * p + away * float(np.sqrt(first * p * (1 - p))))))
    assert -LARGEST_BIAS < found["bias in half-widths"] < 0
    assert_nominal(found["coverage"])
