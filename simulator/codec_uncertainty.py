"""From the settings message to what they ask about uncertainty: scenarios, precision, budgets, estimation risk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from montecarlo.v1 import settings_pb2
from simulator.checks import Checks
from simulator.codec_settings import LEAST_FACTOR, MOST_FACTOR, decode_stress
from simulator.conditions import spec_of
from simulator.errors import InvalidInput
from simulator.spec import EstimationRisk, PrecisionTarget, Scenario, Settings, Spec
from simulator.tally import Outcome

DEFAULT_BUDGET: Final = 100_000_000
"""Paths at the most where a precision or a time says when to stop, and the settings leave the paths open."""

MOST_SCENARIOS: Final = 16
MOST_NAME: Final = 64
LEAST_HISTORIES: Final = 20
MOST_HISTORIES: Final = 2_000
LEAST_HISTORY_PATHS: Final = 256
MOST_HISTORY_PATHS: Final = 16_384
DEFAULT_HISTORY_PATHS: Final = 2_048
_OUTCOMES: Final = tuple(outcome.name.lower() for outcome in Outcome)


def with_uncertainty(
    checks: Checks, message: settings_pb2.SimulationSettings, settings: Settings, digits: int
) -> Settings:
    """The settings with all that they ask about uncertainty, in a currency with so many digits."""
    open_ended = bool(message.precision or message.time_budget_s) and not message.paths
    return replace(
        settings,
        paths=DEFAULT_BUDGET if open_ended else settings.paths,
        scenarios=decode_scenarios(checks, message, digits),
        precision=decode_precision(checks, message),
        time_budget_s=decode_time_budget(checks, message.time_budget_s),
        estimation_risk=decode_estimation_risk(checks, message.estimation_risk),
        rare_events=decode_rare_events(checks, message.rare_events),
    )


def decode_precision(checks: Checks, settings: settings_pb2.SimulationSettings) -> tuple[PrecisionTarget, ...]:
    """The half-widths to reach."""
    found: list[PrecisionTarget] = []
    for index, target in enumerate(settings.precision):
        field = f"settings.precision[{index}]"
        if target.outcome not in _OUTCOMES:
            checks.bad(f"{field}.outcome", f"{target.outcome[:40]!r} is unknown: give one of {', '.join(_OUTCOMES)}")
        elif target.outcome in {each.outcome for each in found}:
            checks.bad(f"{field}.outcome", f"{target.outcome} is there already: give each outcome once")
        elif not 0 < target.half_width < 1:
            why = f"{target.half_width:g} is out of range: give half the width of the interval, such as 0.001"
            checks.bad(f"{field}.half_width", why)
        else:
            found.append(PrecisionTarget(outcome=target.outcome, half_width=target.half_width))
    return tuple(found)


def decode_time_budget(checks: Checks, seconds: float) -> float | None:
    """The time budget; None for none."""
    if not (math.isfinite(seconds) and seconds >= 0):
        checks.bad("settings.time_budget_s", f"{seconds:g} is out of range: give seconds above 0, or 0 for no limit")
        return None
    return seconds or None


def decode_scenarios(checks: Checks, settings: settings_pb2.SimulationSettings, digits: int) -> tuple[Scenario, ...]:
    """The what-ifs, of a currency with so many digits."""
    if len(settings.scenarios) > MOST_SCENARIOS:
        checks.bad("settings.scenarios", f"are {len(settings.scenarios)}: give at most {MOST_SCENARIOS}")
        return ()
    found = [
        _scenario(checks, f"settings.scenarios[{index}]", each, digits) for index, each in enumerate(settings.scenarios)
    ]
    names = [each.name for each in found]
    for index, name in enumerate(names):
        if name in names[:index]:
            checks.bad(f"settings.scenarios[{index}].name", f"{name!r} is there already: give each its own")
    return tuple(found)


def check_scenarios(checks: Checks, spec: Spec, check_account: Callable[[Checks, Spec], None]) -> None:
    """An account that has ended under a scenario's limits has no future there."""
    for index, scenario in enumerate(spec.settings.scenarios):
        under = Checks()
        check_account(under, spec_of(spec, scenario))
        try:
            under.raise_if_any()
        except InvalidInput as invalid:
            for each in invalid.violations:
                why = f"cannot be simulated: with it, {each.field} {each.description}"
                checks.bad(f"settings.scenarios[{index}].limits_factor", why)


def decode_estimation_risk(checks: Checks, asked: settings_pb2.EstimationRisk) -> EstimationRisk | None:
    """The outer bootstrap; None for none."""
    field = "settings.estimation_risk"
    if not asked.histories:
        if asked.paths_per_history:
            checks.bad(f"{field}.histories", "is 0, but paths_per_history is given: say on how many histories")
        return None
    return EstimationRisk(
        histories=checks.whole(f"{field}.histories", asked.histories, LEAST_HISTORIES, MOST_HISTORIES),
        paths=checks.whole(
            f"{field}.paths_per_history",
            asked.paths_per_history or DEFAULT_HISTORY_PATHS,
            LEAST_HISTORY_PATHS,
            MOST_HISTORY_PATHS,
        ),
    )


def decode_rare_events(checks: Checks, asked: int) -> bool:
    """Whether importance sampling may be used."""
    if asked not in settings_pb2.RareEvents.values():
        checks.bad("settings.rare_events", f"{asked} is not one of the values it can have: AUTO, OFF")
    return asked != settings_pb2.RARE_EVENTS_OFF


def _scenario(checks: Checks, field: str, scenario: settings_pb2.Scenario, digits: int) -> Scenario:
    if not 1 <= len(scenario.name.strip()) <= MOST_NAME or not scenario.name.isprintable():
        checks.bad(f"{field}.name", f"{scenario.name[:40]!r} will not do: give 1 to {MOST_NAME} printable characters")
    if not scenario.HasField("stress") and not scenario.limits_factor:
        checks.bad(field, "changes nothing: give a stress or a limits_factor")
    if scenario.limits_factor and not LEAST_FACTOR <= scenario.limits_factor <= MOST_FACTOR:
        why = f"{scenario.limits_factor:g} is out of range: give {LEAST_FACTOR:g} to {MOST_FACTOR:g}, or 0 for none"
        checks.bad(f"{field}.limits_factor", why)
        return Scenario(name=scenario.name)
    return Scenario(
        name=scenario.name,
        stress=decode_stress(checks, f"{field}.stress", scenario.stress, digits)
        if scenario.HasField("stress")
        else None,
        limits_factor=scenario.limits_factor or 1.0,
    )
