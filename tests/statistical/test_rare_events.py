"""Importance sampling against closed forms and against many plain paths.

A figure must lie within 4.5 of its standard errors: a right engine fails a test with probability 6.8e-6. Tilted with
the root of the walk's odds the weight of a ruined path is the same for all, so a walk's figure has hardly any error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from simulator import crew, engine, rare, result
from simulator.planning import Plan
from simulator.spec import DrawdownKind, MaxDrawdown, Model, Rules, Settings
from simulator.tally import Outcome, Tally
from tests.statistical.simulation import ALLOWED_ERRORS, FRESH, ONE_A_DAY, START, walk
from tests.unit.simulator.samples import plan_of

ALLOWED_RELATIVE_ERROR = 0.05


def plan_for(
    history: Sequence[Sequence[int]], allowance: int, *, days: int, paths: int,
    kind: DrawdownKind = DrawdownKind.STATIC, settings: Settings = ONE_A_DAY,
) -> Plan:  # fmt: skip
    """An account that can only be ruined or live on."""
    drawdown = MaxDrawdown(kind=kind, allowance_minor=allowance)
    rules = Rules(starting_balance_minor=START, max_drawdown=drawdown)
    settings = replace(settings, horizon_days=days, paths=paths, seed=20_261_123)
    return plan_of(settings, days=history, rules=rules, account=FRESH)


@pytest.mark.parametrize(("allowance", "truth"), [(50, 4.39026984e-5), (100, 1.92744693e-9)])
def test_ruin_of_a_favourable_walk(allowance: int, truth: float) -> None:
    """Up with 0.55: ruin from z has probability (q/p)^z (Feller I, XIV), all but nothing of it in 3,000 steps."""
    [event] = rare.estimate(
        plan_for(walk(11, 9), allowance, days=3000, paths=1), [Outcome.BREACHED_MAX_DRAWDOWN], engine.finished
    )
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert event.probability == pytest.approx(truth, rel=ALLOWED_ERRORS * event.relative_error + 1e-6)
    assert event.estimate.ci_low <= event.probability <= event.estimate.ci_high


def heavy_tailed() -> Sequence[Sequence[int]]:
    """Two trades a day, with fat tails."""
    draws = np.random.default_rng(1).standard_t(4, (150, 2)) * 90 + 20
    return [[round(each) for each in day] for day in draws]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", list(DrawdownKind))
@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_the_same_as_many_plain_paths(kind: DrawdownKind, model: Model) -> None:
    """A probability of about 1e-3 or less, which 400,000 plain paths know to a tenth or so."""
    settings = Settings(model=model, rare_events=False)
    plan = plan_for(heavy_tailed(), 5500, days=126, paths=400_000, kind=kind, settings=settings)
    plain = engine.simulate(plan).outcomes[Outcome.BREACHED_MAX_DRAWDOWN] / plan.paths
    [event] = rare.estimate(plan, [Outcome.BREACHED_MAX_DRAWDOWN], engine.finished)
    error = np.hypot(event.std_error, np.sqrt(plain / plan.paths))
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert abs(event.probability - plain) < ALLOWED_ERRORS * error, (event, plain)


def test_the_engine_chooses_it_where_plain_paths_are_wasted() -> None:
    plan = plan_for(walk(11, 9), 50, days=3000, paths=20_000)
    found = crew.simulate(plan)
    built = result.build(plan, found, 0.0)
    [event] = built.rare_events
    assert built.outcomes.breached_max_drawdown.value < 5e-4
    assert event.outcome == "breached_max_drawdown"
    assert event.probability.value == pytest.approx(4.39026984e-5, rel=1e-3)
    assert event.tilt < 0


@pytest.mark.parametrize("spoiled", ["often", "switched off", "no floor", "few paths"])
def test_and_only_there(spoiled: str) -> None:
    plan = plan_for(walk(11, 9), 50, days=3000, paths=20_000)
    breached = 0
    match spoiled:
        case "often":
            breached = 100
        case "switched off":
            settings = replace(plan.spec.settings, rare_events=False)
            plan = replace(plan, spec=replace(plan.spec, settings=settings))
        case "no floor":
            plan = replace(plan, spec=replace(plan.spec, rules=Rules(starting_balance_minor=START)))
    paths = 2_000 if spoiled == "few paths" else 20_000
    tally = replace(Tally.empty(), paths=paths, outcomes=(0, breached, 0, paths - breached))
    assert rare.wanted(plan, tally) == ()


def test_what_is_found_survives_its_serial_form() -> None:
    plan = plan_for(walk(11, 9), 50, days=200, paths=1)
    events = rare.estimate(plan, [Outcome.BREACHED_MAX_DRAWDOWN], engine.finished)
    assert rare.from_bytes(rare.to_bytes(events)) == events
