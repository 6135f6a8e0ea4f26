"""From a plan to what the kernel takes: tables and levels as int32, relative to the path's start and padded to buckets.

Every number here is exact. A level that lies beyond any balance a path may reach is moved to just beyond that reach.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from simulator.fan import Fan
from simulator.history import History
from simulator.models import Tables
from simulator.rules import Features, Levels, Pass
from simulator.spec import REACH, BreachOperator, MinimumDays, Rules, Spec

SMALLEST_BUCKET: Final = 64
TWO_32: Final = 1 << 32
BEYOND: Final = 2 * REACH
"""Further than the difference of any two balances within REACH."""


def bucket(size: int) -> int:
    """The power of two that arrays of this size are padded to."""
    return max(SMALLEST_BUCKET, 1 << (size - 1).bit_length())


def features(spec: Spec) -> Features:
    """Which rules are on."""
    rules = spec.rules
    return Features(
        drawdown=rules.max_drawdown.kind if rules.max_drawdown else None,
        daily_loss=rules.daily_loss is not None,
        passes=_pass(rules),
    )


def _pass(rules: Rules) -> Pass:
    if rules.target_minor is None:
        return Pass.NEVER
    if rules.minimum_days is None:
        return Pass.TARGET
    return Pass.DAYS if rules.minimum_days.min_profit_minor is None else Pass.PROFITABLE_DAYS


def levels(spec: Spec, horizon_days: int) -> Levels:
    """The rules' numbers, relative to the present balance; floors are exclusive."""
    rules, start = spec.rules, spec.account.balance_minor
    at_floor = 1 if rules.breach is BreachOperator.AT_OR_BELOW else 0
    floor, lock, allowance = _drawdown(spec)
    daily = rules.daily_loss.limit_minor if rules.daily_loss else 0
    minimum = rules.minimum_days or MinimumDays(days=0)
    needed = minimum.days - spec.account.qualifying_days
    return Levels(
        floor=_level(floor - start + at_floor),
        lock=_level(lock - start + at_floor),
        allowance=_level(allowance - at_floor),
        daily_floor=_level(at_floor - daily),
        target=_level((start if rules.target_minor is None else rules.target_minor) - start),
        first_pass_day=_int32(needed),
        qualifying_needed=_int32(needed),
        min_profit=_level(minimum.min_profit_minor or 0),
        horizon_days=_int32(horizon_days),
    )


def _drawdown(spec: Spec) -> tuple[int, int, int]:
    rule, account = spec.rules.max_drawdown, spec.account
    if rule is None:
        return 0, 0, 0
    lock = account.balance_minor + BEYOND if rule.lock_minor is None else rule.lock_minor
    return spec.present_floor_minor or 0, lock, rule.allowance_minor


def _level(minor: int) -> jax.Array:
    return _int32(max(-BEYOND, min(BEYOND, minor)))


def _int32(value: int) -> jax.Array:
    return jnp.asarray(np.int32(value))


def _uint32(value: int) -> jax.Array:
    return jnp.asarray(np.uint32(value))


def tables(spec: Spec, history: History, block_length: float) -> Tables:
    """The history and the model's numbers. All tables have the size of the trades' bucket, so only that one counts."""
    threshold = max(1, min(TWO_32, round(TWO_32 / max(block_length, 1.0))))
    packed = history.pnl_minor * np.int32(2) + history.last_of_day.astype(np.int32)
    size = bucket(history.trades)
    return Tables(
        packed=_padded(packed.astype(np.int32), size),
        trades=_uint32(history.trades),
        day_start=_padded(history.day_start.astype(np.uint32), size),
        days=_uint32(history.days),
        hazard=_padded(_hazard(history.day_trades), size),
        longest_day=_int32(int(history.day_trades.max())),
        restart_below=_uint32(threshold - 1),
        restart_scale=_uint32(history.trades * TWO_32 // threshold),
        trades_per_day=_int32(spec.settings.trades_per_day or 1),
    )


def _hazard(day_trades: npt.NDArray[np.int32]) -> npt.NDArray[np.uint32]:
    """In 2^-32: the chance that a day with more than k trades ends after k + 1."""
    ending = np.bincount(day_trades)[1:]
    still_on = ending[::-1].cumsum()[::-1]
    chance: npt.NDArray[np.float64] = np.rint(ending / still_on * TWO_32)
    return np.minimum(chance, TWO_32 - 1).astype(np.uint32)


def fan(shown_days: npt.NDArray[np.int32], horizon_days: int) -> Fan:
    """The shown days, padded to their bucket with days after the horizon."""
    days = np.arange(bucket(horizon_days + 2))
    row = np.minimum(np.searchsorted(shown_days, days), shown_days.size - 1)
    padding = np.full(bucket(shown_days.size) - shown_days.size, horizon_days + 1)
    return Fan(
        shown_day=jnp.asarray(np.concatenate([shown_days, padding]).astype(np.int32)),
        row_of_day=jnp.asarray(row.astype(np.uint32)),
    )


def _padded(values: npt.NDArray[np.integer], size: int) -> jax.Array:
    return jnp.asarray(np.pad(values, (0, size - values.size)))
