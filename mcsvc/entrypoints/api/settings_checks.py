"""SimulationSettings, checked for their shape, so that a caller learns at once what the engine would refuse later."""

from __future__ import annotations

import math

from mcsvc.entrypoints.api.fields import Checker
from mcsvc.entrypoints.api.known import check_known
from montecarlo.v1 import settings_pb2

_MAX_PATHS = 10**10
_MAX_DAYS = 10_000
_MAX_SCENARIOS = 16
_MAX_NAME = 64
_HISTORIES = (20, 2_000)
_HISTORY_PATHS = (256, 16_384)
_LIMITS = (0.1, 10.0)
_NOT_IN_BLOCKS = {
    settings_pb2.RESAMPLING_MODEL_IID,
    settings_pb2.RESAMPLING_MODEL_DAY,
    settings_pb2.RESAMPLING_MODEL_NORMAL,
    settings_pb2.RESAMPLING_MODEL_STUDENT_T,
}
_OUTCOMES = ("passed", "breached_max_drawdown", "breached_daily_loss", "expired")


def check_settings(check: Checker, settings: settings_pb2.SimulationSettings) -> None:
    """Notes every setting that no simulation could have."""
    _check_range(check, "settings.paths", settings.paths, (1, _MAX_PATHS))
    _check_range(check, "settings.horizon_days", settings.horizon_days, (1, _MAX_DAYS))
    _check_range(check, "settings.trades_per_day", settings.trades_per_day, (1, _MAX_DAYS))
    check_known(check, "settings", settings)
    length = settings.block_length
    fits = length == 0 or (math.isfinite(length) and length >= 1)
    check.require("settings.block_length", "give at least 1, or 0 for the automatic length", holds=fits)
    whole = settings.model != settings_pb2.RESAMPLING_MODEL_CIRCULAR or not fits or length == int(length)
    check.require("settings.block_length", "give a whole number, as for CIRCULAR", holds=whole)
    in_blocks = settings.model not in _NOT_IN_BLOCKS
    check.require("settings.block_length", "has no meaning for this model: leave it out", holds=not length or in_blocks)
    _check_stress(check, "settings.stress", settings.stress)
    _check_precision(check, settings)
    _check_scenarios(check, settings)
    _check_estimation_risk(check, settings.estimation_risk)
    _check_times(check, settings)


def _check_stress(check: Checker, path: str, stress: settings_pb2.Stress) -> None:
    low, high = _LIMITS
    for name in ("volatility_factor", "loss_factor"):
        factor = getattr(stress, name)
        fits = factor == 0 or low <= factor <= high
        check.require(f"{path}.{name}", f"give {low:g} to {high:g}, or 0 for none", holds=fits)
    cost = stress.cost_per_trade
    check.decimal(f"{path}.cost_per_trade", cost, required=False)
    check.require(f"{path}.cost_per_trade", "give what a trade costs, 0 or more", holds=not cost.startswith("-"))
    fits = 0 <= stress.fewer_winners <= 1
    check.require(f"{path}.fewer_winners", "give a share from 0 to 1, such as 0.1 for a tenth", holds=fits)


def _check_precision(check: Checker, settings: settings_pb2.SimulationSettings) -> None:
    seen: set[str] = set()
    for index, target in enumerate(settings.precision):
        path = f"settings.precision[{index}]"
        known = target.outcome in _OUTCOMES and target.outcome not in seen
        check.require(f"{path}.outcome", f"give one of {', '.join(_OUTCOMES)}, each once", holds=known)
        check.require(f"{path}.half_width", "give more than 0 and less than 1", holds=0 < target.half_width < 1)
        seen.add(target.outcome)


def _check_scenarios(check: Checker, settings: settings_pb2.SimulationSettings) -> None:
    few = len(settings.scenarios) <= _MAX_SCENARIOS
    check.require("settings.scenarios", f"give at most {_MAX_SCENARIOS}", holds=few)
    seen: set[str] = set()
    for index, scenario in enumerate(settings.scenarios):
        path = f"settings.scenarios[{index}]"
        name = scenario.name
        fits = 1 <= len(name.strip()) <= _MAX_NAME and name.isprintable() and name not in seen
        check.require(f"{path}.name", f"give each a name of its own, 1 to {_MAX_NAME} printable characters", holds=fits)
        seen.add(scenario.name)
        low, high = _LIMITS
        factor = scenario.limits_factor
        fits = factor == 0 or low <= factor <= high
        check.require(f"{path}.limits_factor", f"give {low:g} to {high:g}, or 0 for none", holds=fits)
        _check_stress(check, f"{path}.stress", scenario.stress)
        changes = scenario.HasField("stress") or factor != 0
        check.require(path, "changes nothing: give a stress or a limits_factor", holds=changes)


def _check_estimation_risk(check: Checker, risk: settings_pb2.EstimationRisk) -> None:
    given = risk.histories or not risk.paths_per_history
    check.require("settings.estimation_risk.histories", "is missing: give 20 to 2000", holds=bool(given))
    _check_range(check, "settings.estimation_risk.histories", risk.histories, _HISTORIES)
    _check_range(check, "settings.estimation_risk.paths_per_history", risk.paths_per_history, _HISTORY_PATHS)


def _check_times(check: Checker, settings: settings_pb2.SimulationSettings) -> None:
    budget = settings.time_budget_s
    fits = math.isfinite(budget) and budget >= 0
    check.require("settings.time_budget_s", "give seconds above 0, or 0 for no limit", holds=fits)
    try:
        settings.as_of.ToDatetime()
    except (ValueError, OverflowError):
        check.reject("settings.as_of", "give a time from year 1 to 9999")


def _check_range(check: Checker, path: str, value: int, bounds: tuple[int, int]) -> None:
    low, high = bounds
    check.require(path, f"give {low} to {high}, or 0 for the default", holds=value == 0 or low <= value <= high)
