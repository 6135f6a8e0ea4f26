"""The rules' numbers as a kernel takes them: an argument of a compilation, never a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import jax

MILLION: Final = 1_000_000


class Share(NamedTuple):
    """What a floor at a share below a peak or an anchor is computed from; float64[], whole numbers.

    A level z above the start of the path has its exclusive floor at z - whole - ⌊(ppm · z + rest) / 10^6⌋: the share of
    the start is in whole and rest, as is the breach operator.
    """

    ppm: jax.Array
    whole: jax.Array
    rest: jax.Array


class Opening(NamedTuple):
    """How the path stands before its first trade; int32[]. See `State` for the fields."""

    trail: jax.Array
    qualifying: jax.Array
    best_day: jax.Array
    phase: jax.Array
    payouts: jax.Array
    payout_day: jax.Array
    payout_balance: jax.Array


class PhaseLevels(NamedTuple):
    """The numbers of a phase; one entry a phase with `Features.phases`, else scalars.

    target: the balance that passes; first_pass_day: its day, from 1, on which enough days have been traded;
    qualifying: what the count of qualifying days starts from, 0 being enough; min_profit: of a qualifying day;
    best_day_ppm: float64, the best day's share of the profit; last_day: its day on which it expires.
    """

    target: jax.Array
    first_pass_day: jax.Array
    qualifying: jax.Array
    min_profit: jax.Array
    best_day_ppm: jax.Array
    last_day: jax.Array


class PayoutLevels(NamedTuple):
    """The numbers of payouts. caps and splits_ppm have an entry a payout, the last for all later;
    floor: the balance that must stay; least: the smallest amount paid.
    """

    every_days: jax.Array
    best_day_ppm: jax.Array
    floor: jax.Array
    profit_share_ppm: jax.Array
    least: jax.Array
    caps: jax.Array
    splits_ppm: jax.Array
    most: jax.Array


class ScalingLevels(NamedTuple):
    """The numbers of scaling; deposit: what a step adds to the balance."""

    every_days: jax.Array
    min_profit: jax.Array
    most_steps: jax.Array
    deposit: jax.Array


class Levels(NamedTuple):
    """The rules' numbers, traced; int32[] where nothing else is said. None: of no use to this job.

    start: the starting balance of the account. floor: of a static drawdown. A trailing floor is min(lock, trail), where
    trail is the peak less the allowance, or with `peak_share` the peak itself, of which the share is taken. A step of
    scaling adds allowance_step to the allowance, daily_step to the daily limit. daily_floor is a day's floor less the
    balance it opens at, first_daily_floor that of the first day; anchor_raise: what the first day's anchor is above it.
    zero: 0, see `put_where`.
    """

    start: jax.Array
    floor: jax.Array
    lock: jax.Array
    allowance: jax.Array
    allowance_step: jax.Array
    peak_share: Share | None
    start_floor: jax.Array
    fresh_trail: jax.Array
    daily_floor: jax.Array
    first_daily_floor: jax.Array
    daily_step: jax.Array
    anchor_share: Share | None
    anchor_raise: jax.Array
    phase: PhaseLevels
    last_phase: jax.Array
    horizon_days: jax.Array
    payout: PayoutLevels | None
    scaling: ScalingLevels | None
    opening: Opening
    zero: jax.Array
