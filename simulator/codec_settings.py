"""From the settings message to valid Settings: the model, and what is made worse than the history."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from montecarlo.v1 import settings_pb2
from simulator.checks import Checks
from simulator.money import from_minor
from simulator.spec import (
    MAX_HORIZON_DAYS,
    MAX_INDEX_SPREAD,
    MAX_PATHS,
    MAX_TRADES_PER_DAY,
    REACH,
    Model,
    Settings,
    Stress,
)

DEFAULT_PATHS: Final = 100_000
LEAST_FACTOR: Final = 0.1
MOST_FACTOR: Final = 10.0

_MODELS: Final[dict[int, Model]] = {
    settings_pb2.RESAMPLING_MODEL_UNSPECIFIED: Model.STATIONARY,
    settings_pb2.RESAMPLING_MODEL_IID: Model.IID,
    settings_pb2.RESAMPLING_MODEL_DAY: Model.DAY,
    settings_pb2.RESAMPLING_MODEL_STATIONARY: Model.STATIONARY,
    settings_pb2.RESAMPLING_MODEL_CIRCULAR: Model.CIRCULAR,
    settings_pb2.RESAMPLING_MODEL_NORMAL: Model.NORMAL,
    settings_pb2.RESAMPLING_MODEL_STUDENT_T: Model.STUDENT_T,
}


def decode_settings(checks: Checks, settings: settings_pb2.SimulationSettings, trades: int, digits: int) -> Settings:
    """The settings, for so many trades in a currency with so many digits; notes what is wrong with them."""
    model = checks.kind("settings.model", settings.model, _MODELS) or Model.STATIONARY
    per_day = checks.whole("settings.trades_per_day", settings.trades_per_day, 0, MAX_TRADES_PER_DAY)
    if model is Model.DAY and per_day:
        checks.bad("settings.trades_per_day", "cannot be fixed for DAY, which plays whole days: leave it 0, or use IID")
    return Settings(
        paths=checks.whole("settings.paths", settings.paths, 0, MAX_PATHS) or DEFAULT_PATHS,
        horizon_days=checks.whole("settings.horizon_days", settings.horizon_days, 0, MAX_HORIZON_DAYS) or None,
        model=model,
        trades_per_day=per_day or None,
        block_length=_block_length(checks, settings.block_length, model, trades),
        seed=settings.seed if settings.HasField("seed") else None,
        stress=decode_stress(checks, "settings.stress", settings.stress, digits),
        excursions=_excursions(checks, settings.excursions),
        as_of=decode_time(checks, "settings.as_of", settings.as_of) if settings.HasField("as_of") else None,
    )


def decode_stress(checks: Checks, field: str, stress: settings_pb2.Stress, digits: int) -> Stress:
    """The stress of the settings or of a scenario."""
    return Stress(
        volatility_factor=_factor(checks, f"{field}.volatility_factor", stress.volatility_factor),
        loss_factor=_factor(checks, f"{field}.loss_factor", stress.loss_factor),
        cost_minor=_cost(checks, f"{field}.cost_per_trade", stress.cost_per_trade, digits),
        fewer_winners=_share(checks, f"{field}.fewer_winners", stress.fewer_winners),
        worst_day=stress.worst_day,
    )


def decode_time(checks: Checks, field: str, time: Timestamp) -> datetime | None:
    """An instant; None if it is bad."""
    try:
        return time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        checks.bad(field, "is not a valid time: give one from year 1 to 9999")
        return None


def _factor(checks: Checks, field: str, factor: float) -> float:
    if factor == 0:
        return 1.0
    if not LEAST_FACTOR <= factor <= MOST_FACTOR:
        checks.bad(field, f"{factor:g} is out of range: give {LEAST_FACTOR:g} to {MOST_FACTOR:g}, or 0 for none")
        return 1.0
    return factor


def _share(checks: Checks, field: str, share: float) -> float:
    if not 0 <= share <= 1:
        checks.bad(field, f"{share:g} is out of range: give a share from 0 to 1, such as 0.1 for a tenth")
        return 0.0
    return share


def _cost(checks: Checks, field: str, text: str, digits: int) -> int:
    cost = checks.money(field, text, digits) if text else None
    if cost is None:
        return 0
    if not 0 <= cost <= REACH:
        checks.bad(field, f"{text} is out of range: give what a trade costs, from 0 to {from_minor(REACH, digits)}")
        return 0
    return cost


def _excursions(checks: Checks, asked: int) -> bool:
    known = settings_pb2.Excursions.values()
    if asked not in known:
        checks.bad("settings.excursions", f"{asked} is not one of the values it can have: AUTO, OFF")
    return asked != settings_pb2.EXCURSIONS_OFF


def _block_length(checks: Checks, length: float, model: Model, trades: int) -> float | None:
    if length == 0:
        return None
    if model not in {Model.STATIONARY, Model.CIRCULAR}:
        why = f"has no meaning for {model.name}: leave it out, or use STATIONARY or CIRCULAR"
        checks.bad("settings.block_length", why)
        return None
    whole = model is Model.CIRCULAR
    most = max(trades, 1) if whole else MAX_INDEX_SPREAD // max(trades, 1)
    if not (math.isfinite(length) and 1 <= length <= most and not (whole and length % 1)):
        what = f"a whole number from 1 to {most}" if whole else f"1 to {most}"
        checks.bad("settings.block_length", f"{length:g} is out of range: give {what}, or 0 for automatic")
        return None
    return length
