"""`python -m tests.unit.simulator.bits`: what the engine says of many simulations, on whatever device jax finds here.

On stdout, as JSON: the device, a digest of each simulation, and the figures that are doubles, which agree between kinds
of device to a billionth or so.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import assume, given, settings

from benchmarks import case
from benchmarks.runs import changed, plan_of
from simulator import crew, engine, xla
from simulator.engine import Plan
from simulator.spec import EstimationRisk, Model, Scenario, Settings, Spec, Stress
from tests.unit.simulator import samples
from tests.unit.simulator.random_specs import specs
from tests.unit.simulator.rule_shapes import FITTED, Shape, shapes
from tests.unit.simulator.test_against_reference import EXAMPLES, OTHERS, can_be_fitted

EXAMPLES_A_SHAPE = 2
BLOCK, BLOCKS = 1_024, 9
"""More blocks than a GPU runs together of a small plan."""
PATHS = 12 * 16_384 + 1_000
RARE_PATHS = 60_000


def main() -> None:
    """Print it."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in _simulations()}
    json.dump({"device": xla.backend(), "digests": digests, "rare": _rare()}, sys.stdout)


def _simulations() -> Iterator[tuple[str, bytes]]:
    for change in (case.stationary, case.days_of_the_history, case.every_assessment_rule, case.every_funded_rule):
        plan = plan_of(changed(PATHS, change))
        yield change.__name__, engine.run(plan, 0, plan.blocks).to_bytes()
    for model in Model:
        yield f"all sections, {model.name}", crew.simulate(_with_all_sections(model)).to_bytes()
    for shape in (*shapes(2), *OTHERS):
        for number, spec in enumerate(_specs_of(shape)):
            plan = replace(_in_blocks(engine.plan(spec, "0" * 64)), fan_paths=BLOCK // 2)
            yield f"{shape} {number}", engine.run(plan, 0, plan.blocks).to_bytes()


def _in_blocks(plan: Plan) -> Plan:
    return replace(plan, paths=BLOCK * BLOCKS - 100, block_paths=BLOCK, blocks=BLOCKS)


def _with_all_sections(model: Model) -> Plan:
    scenarios = (Scenario(name="worse", stress=Stress(fewer_winners=0.2, worst_day=True)),)
    risk = EstimationRisk(histories=5, paths=300)
    return _in_blocks(samples.plan_of(Settings(seed=7, model=model, scenarios=scenarios, estimation_risk=risk)))


def _specs_of(shape: Shape) -> list[Spec]:
    """The same each time."""
    found: list[Spec] = []

    @settings(EXAMPLES, max_examples=EXAMPLES_A_SHAPE)
    @given(specs(shape))
    def keep(spec: Spec) -> None:
        assume(spec.settings.model not in FITTED or can_be_fitted(spec))
        found.append(spec)

    keep()
    return found


def _rare() -> list[float]:
    """The probabilities and the standard errors that weighted draws find of breaches that are rare here."""
    message = case.as_input(case.typical(RARE_PATHS))
    message.settings.horizon_days = 60
    return [number for event in crew.simulate(plan_of(message)).rare for number in (event.probability, event.std_error)]


if __name__ == "__main__":
    main()
