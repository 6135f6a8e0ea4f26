"""The history and the model's numbers as a kernel takes them, padded to buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import jax

SMALLEST: Final = 64
FEW_TRADES: Final = 512
"""Histories of so many trades or fewer share one bucket, and so their kernels: most have no more, and padding costs a
path nothing.
"""


def bucket(size: int, smallest: int = SMALLEST) -> int:
    """The power of two that arrays of this size are padded to."""
    return max(smallest, 1 << (size - 1).bit_length())


def bucket_of_trades(trades: int) -> int:
    """The size of all tables of a history of so many trades."""
    return bucket(trades, FEW_TRADES)


class Curve(NamedTuple):
    """packed: int64[2 x CELLS], a cell's value x 2^32 + its change; digits: int64[], binary digits after the point."""

    packed: jax.Array
    digits: jax.Array


class Step(NamedTuple):
    """One step of scaling: its share in millionths, int32[]."""

    share: jax.Array


class Losers(NamedTuple):
    """The trades of the history that lost: int32[trades], padded; replaced_below: share x 2^32 less one, uint32[]."""

    pnl: jax.Array
    low: jax.Array | None
    high: jax.Array | None
    number: jax.Array
    replaced_below: jax.Array


class WorstDay(NamedTuple):
    """The sum of the worst day, int32[], the days of the horizon among which one is drawn, uint32[], and the least that
    a trade may then come to, int32[].
    """

    total: jax.Array
    days: jax.Array
    least: jax.Array


class Rooms(NamedTuple):
    """Which rows of tables hold for a path, see `simulator.within_a_day.Guide`. begins: int32[bands], beyond the last a
    number that no day reaches; cells, offset: int32[]; scale: uint64[], 2^32 over the width of a cell.
    """

    begins: jax.Array
    cells: jax.Array
    offset: jax.Array
    scale: jax.Array


class Restart(NamedTuple):
    """How often blocks of the stationary bootstrap begin when weighted. below: uint32[rows x trades], T after each
    trade, less one; begins, goes_on: float64[], 1 / T and 1 / (2^32 - T) without weights, the latter 0 if every trade
    begins a block.
    """

    below: jax.Array
    begins: jax.Array
    goes_on: jax.Array


class Tilt(NamedTuple):
    """The alias tables of the weighted draws, one after the other, each padded: uint64[rows x draws], the other draw
    over the cut, in the upper and the lower half, as one number is fetched faster than two; float64[rows x draws], the
    ratio of each draw. And when the weights may begin to count, int32[]: after 0, stride, 2 stride, … trades, `starts`
    such moments, with one row; or with `rooms` for the length of one day, of which the first `starts` are the moments.
    Of `ways` that a path may go, equally likely, the first `at_a_start` lead to each moment; on those beyond all
    moments they never count. `restart`: of the stationary bootstrap, else None.
    """

    alias: jax.Array
    ratio: jax.Array
    restart: Restart | None
    rooms: Rooms | None
    stride: jax.Array | None
    starts: jax.Array
    at_a_start: jax.Array
    ways: jax.Array


class Tables(NamedTuple):
    """The history on the device, padded to shape buckets, and the model's numbers; arrays or scalars, all traced.

    packed: int32[trades], 2 x pnl + (last of its day); day_start: uint32[days]; hazard: uint32[longest day], chance in
    2^-32 that a day ends after k+1 trades; restart_below, restart_scale: T and n 2^32 / T of the stationary bootstrap,
    the first less one; block: int32[], trades of a circular block; low, high: int32[trades], min(MAE, P&L) and
    max(MFE, P&L). None: of no use to this job.
    """

    packed: jax.Array
    trades: jax.Array
    day_start: jax.Array
    days: jax.Array
    hazard: jax.Array
    longest_day: jax.Array
    restart_below: jax.Array
    restart_scale: jax.Array
    trades_per_day: jax.Array
    block: jax.Array
    low: jax.Array | None = None
    high: jax.Array | None = None
    curve: Curve | None = None
    step: Step | None = None
    losers: Losers | None = None
    worst_day: WorstDay | None = None
    tilt: Tilt | None = None


class Fan(NamedTuple):
    """Which days are shown. shown_day: int32[rows], ascending; row_of_day: uint32[days], the row of the first shown day
    that is not before a day.
    """

    shown_day: jax.Array
    row_of_day: jax.Array
