"""What the settings ask about uncertainty is read as it is meant, and whatever is wrong with it is named."""

from __future__ import annotations

import math

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import settings_pb2
from montecarlo.v1.settings_pb2 import PrecisionTarget as Target
from montecarlo.v1.settings_pb2 import Scenario as ScenarioMessage
from montecarlo.v1.settings_pb2 import SimulationSettings
from simulator import codec
from simulator.codec_uncertainty import DEFAULT_BUDGET
from simulator.errors import InvalidInput
from simulator.serve.usual import usual_input
from simulator.spec import EstimationRisk, PrecisionTarget, Scenario, Settings, Stress


def message(settings: SimulationSettings) -> engine_pb2.SimulateInput:
    found = usual_input(0)
    found.settings.CopyFrom(settings)
    return found


def decoded(settings: SimulationSettings) -> Settings:
    return codec.decode(message(settings)).settings


def fields_of(settings: SimulationSettings) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        decoded(settings)
    return [each.field for each in refused.value.violations]


def test_without_any_of_it_nothing_is_asked() -> None:
    found = decoded(SimulationSettings())
    assert found == Settings(seed=found.seed, rare_events=True)
    assert (found.scenarios, found.precision, found.time_budget_s, found.estimation_risk) == ((), (), None, None)


def test_all_of_it_is_read() -> None:
    found = decoded(
        SimulationSettings(
            precision=[Target(outcome="passed", half_width=0.001), Target(outcome="expired", half_width=0.5)],
            time_budget_s=2.5,
            scenarios=[
                ScenarioMessage(name="worse", stress=settings_pb2.Stress(loss_factor=2, cost_per_trade="1.25")),
                ScenarioMessage(name="tight", limits_factor=0.9),
                ScenarioMessage(name="as it is", stress=settings_pb2.Stress()),
            ],
            estimation_risk=settings_pb2.EstimationRisk(histories=20, paths_per_history=256),
            rare_events=settings_pb2.RARE_EVENTS_OFF,
        )
    )
    assert found.precision == (
        PrecisionTarget(outcome="passed", half_width=0.001), PrecisionTarget(outcome="expired", half_width=0.5)
    )  # fmt: skip
    assert found.scenarios == (
        Scenario(name="worse", stress=Stress(loss_factor=2, cost_minor=125)),
        Scenario(name="tight", limits_factor=0.9),
        Scenario(name="as it is", stress=Stress()),
    )
    assert (found.time_budget_s, found.rare_events) == (2.5, False)
    assert found.estimation_risk == EstimationRisk(histories=20, paths=256)


def test_paths_left_open_are_a_budget_where_something_else_says_when_to_stop() -> None:
    target = [Target(outcome="passed", half_width=0.001)]
    assert decoded(SimulationSettings(precision=target)).paths == DEFAULT_BUDGET
    assert decoded(SimulationSettings(time_budget_s=1)).paths == DEFAULT_BUDGET
    assert decoded(SimulationSettings(precision=target, paths=5)).paths == 5


def test_paths_of_a_history_left_open_are_2048() -> None:
    found = decoded(SimulationSettings(estimation_risk=settings_pb2.EstimationRisk(histories=100)))
    assert found.estimation_risk == EstimationRisk(histories=100, paths=2_048)


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"precision": [Target(outcome="won", half_width=0.1)]}, ["settings.precision[0].outcome"]),
        ({"precision": [Target(outcome="passed")]}, ["settings.precision[0].half_width"]),
        ({"precision": [Target(outcome="passed", half_width=1)]}, ["settings.precision[0].half_width"]),
        ({"precision": [Target(outcome="passed", half_width=math.nan)]}, ["settings.precision[0].half_width"]),
        ({"precision": [Target(outcome="passed", half_width=0.1)] * 2}, ["settings.precision[1].outcome"]),
        ({"time_budget_s": -1}, ["settings.time_budget_s"]),
        ({"time_budget_s": math.inf}, ["settings.time_budget_s"]),
        ({"time_budget_s": math.nan}, ["settings.time_budget_s"]),
        ({"scenarios": [ScenarioMessage(limits_factor=2)]}, ["settings.scenarios[0].name"]),
        ({"scenarios": [ScenarioMessage(name="x" * 65, limits_factor=2)]}, ["settings.scenarios[0].name"]),
        ({"scenarios": [ScenarioMessage(name="a\nb", limits_factor=2)]}, ["settings.scenarios[0].name"]),
        ({"scenarios": [ScenarioMessage(name="a", limits_factor=2)] * 2}, ["settings.scenarios[1].name"]),
        ({"scenarios": [ScenarioMessage(name="a")]}, ["settings.scenarios[0]"]),
        ({"scenarios": [ScenarioMessage(name="a", limits_factor=0.05)]}, ["settings.scenarios[0].limits_factor"]),
        ({"scenarios": [ScenarioMessage(name="a", limits_factor=math.nan)]}, ["settings.scenarios[0].limits_factor"]),
        (
            {"scenarios": [ScenarioMessage(name="a", stress=settings_pb2.Stress(loss_factor=11))]},
            ["settings.scenarios[0].stress.loss_factor"],
        ),
        ({"scenarios": [ScenarioMessage(name=str(i), limits_factor=2) for i in range(17)]}, ["settings.scenarios"]),
        ({"estimation_risk": settings_pb2.EstimationRisk(histories=19)}, ["settings.estimation_risk.histories"]),
        ({"estimation_risk": settings_pb2.EstimationRisk(histories=2_001)}, ["settings.estimation_risk.histories"]),
        (
            {"estimation_risk": settings_pb2.EstimationRisk(histories=20, paths_per_history=255)},
            ["settings.estimation_risk.paths_per_history"],
        ),
        (
            {"estimation_risk": settings_pb2.EstimationRisk(paths_per_history=2_048)},
            ["settings.estimation_risk.histories"],
        ),
        ({"rare_events": 9}, ["settings.rare_events"]),
    ],
)
def test_what_is_wrong_is_named_by_its_field(settings: dict[str, object], fields: list[str]) -> None:
    assert fields_of(SimulationSettings(**settings)) == fields  # type: ignore[arg-type]  # each by its own field


def test_a_seed_left_open_comes_from_what_decides_a_path_and_from_nothing_else() -> None:
    how_much = SimulationSettings(
        paths=7,
        precision=[Target(outcome="passed", half_width=0.1)],
        time_budget_s=1,
        scenarios=[ScenarioMessage(name="tight", limits_factor=0.5)],
        estimation_risk=settings_pb2.EstimationRisk(histories=20),
        rare_events=settings_pb2.RARE_EVENTS_OFF,
    )
    how_much.as_of.FromJsonString("2030-01-01T00:00:00Z")
    bare = decoded(SimulationSettings()).seed

    assert decoded(how_much).seed == bare
    for other in (
        SimulationSettings(horizon_days=7),
        SimulationSettings(model=settings_pb2.RESAMPLING_MODEL_IID),
        SimulationSettings(stress=settings_pb2.Stress(loss_factor=2)),
    ):
        assert decoded(other).seed != bare
    moved = message(SimulationSettings())
    moved.trades[0].pnl = "1.23"
    assert codec.decode(moved).settings.seed != bare
    assert decoded(SimulationSettings(seed=0)).seed == 0


def test_limits_under_which_the_account_has_breached_already_are_refused() -> None:
    tight = message(SimulationSettings(scenarios=[ScenarioMessage(name="tight", limits_factor=0.1)]))
    tight.account.balance = "49500.00"
    tight.account.high_water_mark = "50000.00"

    with pytest.raises(InvalidInput, match=r"settings.scenarios\[0\].limits_factor: cannot be simulated: with it"):
        codec.decode(tight)


def test_a_stress_that_the_history_does_not_carry_is_refused_at_the_scenario_that_asks_for_it() -> None:
    winners = message(
        SimulationSettings(scenarios=[ScenarioMessage(name="a", stress=settings_pb2.Stress(fewer_winners=0.5))])
    )
    for trade in winners.trades:
        trade.pnl = "10.00"
    spec = codec.decode(winners)

    from simulator import engine

    with pytest.raises(InvalidInput, match=r"settings.scenarios\[0\].stress.fewer_winners: puts a losing trade"):
        engine.plan(spec, codec.digest(winners))
