"""From a plan to what the kernel takes: tables and levels as int32, relative to the path's start and padded to buckets.

Every number here is exact. A level that lies beyond any balance a path may reach is moved to just beyond that reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from simulator import tilted, tilting, within_a_day
from simulator.history import History
from simulator.host import handed
from simulator.planning import Plan
from simulator.quantiles import Quantiles
from simulator.source import trails_open_equity
from simulator.spec import REACH, Model, Scaling
from simulator.tables import Curve, Fan, Losers, Restart, Rooms, Step, Tables, Tilt, WorstDay, bucket, bucket_of_trades
from simulator.within_a_day import BANDS, Guide

if TYPE_CHECKING:
    import jax

TWO_32: Final = 1 << 32


def _int32(value: int) -> jax.Array:
    return handed(np.int32(value))


def _uint32(value: int) -> jax.Array:
    return handed(np.uint32(value))


def tables(plan: Plan) -> Tables:
    """The history and the model's numbers. All tables have the size of the trades' bucket, so only that one counts."""
    spec, history = plan.spec, plan.source.history
    scale = round(history.trades * max(1.0, plan.block_length)) if plan.model is Model.STATIONARY else history.trades
    threshold = round(history.trades * TWO_32 / scale)
    packed = history.pnl_minor * np.int32(2) + history.last_of_day.astype(np.int32)
    size, low, high = bucket_of_trades(history.trades), _low(plan), _high(plan)
    return Tables(
        packed=_padded(packed.astype(np.int32), size),
        trades=_uint32(history.trades),
        day_start=_padded(history.day_start.astype(np.uint32), size),
        days=_uint32(history.days),
        hazard=_padded(_hazard(history), size),
        longest_day=_int32(int(history.day_trades.max())),
        restart_below=_uint32(threshold - 1),
        restart_scale=_uint32(scale),
        trades_per_day=_int32(spec.settings.trades_per_day or 1),
        block=_int32(max(1, int(plan.block_length))),
        low=None if low is None else _padded(low, size),
        high=None if high is None else _padded(high, size),
        curve=_curve(plan.source.quantiles),
        step=_step(spec.rules.scaling),
        losers=_losers(plan, size) if spec.settings.stress.fewer_winners and plan.source.losers.size else None,
        worst_day=_worst_day(plan) if spec.settings.stress.worst_day else None,
        tilt=_tilt(plan, size, threshold),
    )


def _tilt(plan: Plan, size: int, threshold: int) -> Tilt | None:
    weighting = plan.weighting
    draws = None if weighting is None else tilted.draws(plan, weighting)
    if draws is None or weighting is None:
        return None
    rows = 1 if draws.guide is None else within_a_day.rows(size)
    return Tilt(
        alias=_rows([each.other.astype(np.uint64) << 32 | each.cut for each in draws.tables], rows, size),
        ratio=_rows([each.ratio for each in draws.tables], rows, size),
        restart=_restart(draws.restarts, threshold, rows, size) if plan.model is Model.STATIONARY else None,
        rooms=None if draws.guide is None else _rooms(draws.guide),
        stride=None if weighting.within_a_day else _int32(tilted.stride(plan)),
        starts=_int32(weighting.starts),
        at_a_start=_int32(tilting.WAYS - tilting.PLAIN_WAYS),
        ways=_int32(tilting.WAYS * weighting.starts),
    )


def _restart(restarts: npt.NDArray[np.float64] | None, threshold: int, rows: int, size: int) -> Restart:
    below = np.full((rows, size), threshold) if restarts is None else np.clip(np.rint(restarts * TWO_32), 1, TWO_32)
    goes_on = 1 / (TWO_32 - threshold) if threshold < TWO_32 else 0.0
    return Restart(
        below=_rows((below - 1).astype(np.uint32), rows, size),
        begins=handed(np.float64(1 / threshold)),
        goes_on=handed(np.float64(goes_on)),
    )


def _rooms(guide: Guide) -> Rooms:
    begins = np.full(1 + len(BANDS), np.iinfo(np.int32).max, np.int32)
    begins[: len(guide.begins)] = guide.begins
    return Rooms(
        begins=handed(begins),
        cells=_int32(guide.cells),
        offset=_int32(guide.offset),
        scale=handed(np.uint64(ceil(TWO_32 / guide.width))),
    )


def _curve(quantiles: Quantiles | None) -> Curve | None:
    if quantiles is None:
        return None
    packed = (quantiles.values.astype(np.int64) << 32) | (quantiles.changes.astype(np.int64) & (TWO_32 - 1))
    return Curve(packed=handed(packed), digits=handed(np.int64(quantiles.digits)))


def _losers(plan: Plan, size: int) -> Losers:
    low, high = _low(plan), _high(plan)
    which, share = plan.source.losers, plan.spec.settings.stress.fewer_winners
    return Losers(
        pnl=_padded(plan.source.history.pnl_minor[which], size),
        low=None if low is None else _padded(low[which], size),
        high=None if high is None else _padded(high[which], size),
        number=_uint32(which.size),
        replaced_below=_uint32(max(1, min(TWO_32, ceil(share * TWO_32))) - 1),
    )


def _worst_day(plan: Plan) -> WorstDay:
    return WorstDay(
        total=_int32(max(-REACH, plan.source.worst_day_minor)),
        days=_uint32(plan.horizon_days),
        least=_int32(-plan.source.most_minor),
    )


def _low(plan: Plan) -> npt.NDArray[np.int32] | None:
    mae, pnl = plan.source.history.mae_minor, plan.source.history.pnl_minor
    return None if mae is None or not plan.excursions else np.minimum(mae, pnl)


def _high(plan: Plan) -> npt.NDArray[np.int32] | None:
    mfe, pnl = plan.source.history.mfe_minor, plan.source.history.pnl_minor
    used = plan.excursions and trails_open_equity(plan.spec.rules)
    return None if mfe is None or not used else np.maximum(mfe, pnl)


def _step(scaling: Scaling | None) -> Step | None:
    return None if scaling is None else Step(share=_int32(scaling.step_ppm))


def _hazard(history: History) -> npt.NDArray[np.uint32]:
    """In 2^-32."""
    chance: npt.NDArray[np.float64] = np.rint(history.hazard * TWO_32)
    return np.minimum(chance, TWO_32 - 1).astype(np.uint32)


def fan(shown_days: npt.NDArray[np.int32], horizon_days: int) -> Fan:
    """The shown days, padded to their bucket with days after the horizon."""
    days = np.arange(bucket(horizon_days + 2))
    row = np.minimum(np.searchsorted(shown_days, days), shown_days.size - 1)
    padding = np.full(bucket(shown_days.size) - shown_days.size, horizon_days + 1)
    return Fan(
        shown_day=handed(np.concatenate([shown_days, padding]).astype(np.int32)),
        row_of_day=handed(row.astype(np.uint32)),
    )


def _rows(values: Sequence[npt.NDArray[Any]] | npt.NDArray[Any], rows: int, size: int) -> jax.Array:
    """Each padded, one after the other, and as many more."""
    found = np.zeros((rows, size), values[0].dtype)
    found[: len(values), : values[0].size] = values
    return handed(found.ravel())


def _padded(values: npt.NDArray[Any], size: int) -> jax.Array:
    found = np.zeros(size, values.dtype)
    found[: values.size] = values
    return handed(found)
