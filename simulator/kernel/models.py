"""How futures are drawn: which trade comes next on each path, and whether it ends the path's day.

iid         Each trade is drawn on its own (Efron 1979).
day         Each day is drawn whole and its trades are played in order.
stationary  Blocks of geometric length with mean L, wrapping round (Politis & Romano 1994): a block begins anew with
            probability 1/L, else the next trade of the history follows.
circular    Blocks of exactly L trades, wrapping round (Politis & Romano 1992): trades 1, L + 1, 2L + 1, … of a path
            begin a block, drawn like an iid trade; between them the next trade of the history follows.
normal      Each trade's amount is a quantile of the normal or the Student-t that was fitted to the history
student_t   (`simulator.fit`), read off a table (`simulator.kernel.curve`).

One 32-bit word serves each trade. An index is the upper half of word x n, so it is uniform to 2^-32. The stationary
bootstrap begins a block when word < T = 2^32/L, and such a word is itself uniform below T, so the same word gives the
index: the upper half of word x S, S = n L. L is rounded so that S is whole, else the last trade would be drawn too
rarely; the index is then uniform to S / 2^32 (`simulator.spec.MAX_INDEX_SPREAD` bounds S).

Days are as long as in the history, or of a fixed number of trades. As in the history: for day, the drawn day's own
length; for stationary and circular, a path's day ends with a trade that ended its day; for iid, lengths are drawn from
those of the history, by the hazard of ending after k trades against the lower half of word x n, which is independent
of the index; for normal and student_t, the same hazard against the lower half of word x 2654435769.

Two stresses draw as well; the others are in the amounts already (`simulator.stress`).

fewer_winners  With v the trade's second word (step s of a path: word s mod 2 of the counter (path, s div 2 + 2^31),
               under the key of the path), a trade that made money is replaced by loser number m of the history, the
               upper half of v x (losers), if the lower half of v x (losers) is below share x 2^32.
worst_day      Day 1 + the upper half of w x (horizon days), w being the second word of the pair that says where a path
               starts, begins with a trade to which the sum of the worst day is added: to its P&L and its low. What a
               fitted trade then loses beyond REACH is cut.

Importance sampling weights the draws (`simulator.tilting`): index i stays where the trade's second word is below the
i-th cut, else it becomes the i-th other. When a path's weights begin to count, if ever, is the upper half of u x ways,
u the first word of the pair before the one that says where a path starts; where they count within a day, that is which
day. It and `fewer_winners` do not go together.
Of the stationary bootstrap, T is that of the latest trade, once the weights count; with v the second word, the index is
the upper half of v x n, and the lower half is compared with the cut.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from simulator.kernel import curve, odds, overlays
from simulator.kernel.odds import Odds
from simulator.kernel.once import once
from simulator.kernel.overlays import Traded
from simulator.spec import Model
from simulator.tables import Tables, Tilt

__all__ = ["Draw", "Tables", "Traded", "begin", "multiply_high", "next_trade"]

GOLDEN: Final = 2_654_435_769
"""Odd and near 2^32 over the golden ratio: a word and its multiple by it fill the square evenly."""


class Draw(NamedTuple):
    """Where each path is in the history; a scalar that stands still where the model has no use for it.

    cursor: uint32[paths], the latest trade; day_over: bool[paths]; in_day: int32[paths] or int32[], trades of this day;
    in_block: int32[], trades of this circular block; to_worst: int32[paths], days until the worst one, or None.
    """

    cursor: jax.Array
    day_over: jax.Array
    in_day: jax.Array
    in_block: jax.Array
    to_worst: jax.Array | None
    odds: Odds | None = None


def multiply_high(word: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Upper and lower 32 bits of the 64-bit product: a uniform number below `scale`, and its uniform remainder."""
    product = word.astype(jnp.uint64) * scale.astype(jnp.uint64)
    return (product >> jnp.uint64(32)).astype(jnp.uint32), product.astype(jnp.uint32)


def begin(
    model: Model, *, fixed_days: bool, tables: Tables, word: jax.Array, second: jax.Array, third: jax.Array | None
) -> Draw:
    """Before the first trade. uint32[paths]: `word` is where a stationary bootstrap starts, `second` the worst day,
    `third` when a path's weights begin to count; only `Tables.tilt` has a use for it.
    """
    paths = word.shape
    worst = tables.worst_day
    idle = Draw(
        cursor=jnp.uint32(0),
        day_over=jnp.bool_(False),  # noqa: FBT003 — a value
        in_day=jnp.int32(0),
        in_block=jnp.int32(0),
        to_worst=None if worst is None else multiply_high(second, worst.days)[0].astype(jnp.int32),
        odds=None if tables.tilt is None or third is None else _odds(tables.tilt, third),
    )
    match model:
        case Model.IID | Model.NORMAL | Model.STUDENT_T:
            return idle if fixed_days else idle._replace(in_day=jnp.zeros(paths, jnp.int32))
        case Model.DAY:
            return idle._replace(cursor=jnp.zeros(paths, jnp.uint32), day_over=jnp.ones(paths, jnp.bool_))
        case Model.STATIONARY:
            return idle._replace(cursor=multiply_high(word, tables.trades)[0])
        case Model.CIRCULAR:
            return idle._replace(cursor=jnp.zeros(paths, jnp.uint32))


def _odds(tilt: Tilt, word: jax.Array) -> Odds:
    return odds.begin(tilt, multiply_high(word, tilt.ways.astype(jnp.uint32))[0].astype(jnp.int32))


class Second(NamedTuple):
    """What only `Tables.losers` and `Tables.tilt` have a use for. word: uint32[paths], says which winners are replaced,
    or weights the draw; room: as of `odds.first_of_row`.
    """

    word: jax.Array
    room: jax.Array | None = None


def next_trade(
    model: Model, *, fixed_days: bool, tables: Tables, draw: Draw, word: jax.Array, second: Second | None = None
) -> tuple[Draw, Traded, jax.Array]:
    """The next trade of each path: (draw, trade, end of day bool[paths], or bool[] if days are fixed)."""
    draw, traded, over = _drawn(model, fixed_days=fixed_days, tables=tables, draw=draw, word=word, second=second)
    if draw.odds is not None:
        draw = draw._replace(odds=odds.after_day(draw.odds, over))
    if tables.losers is not None and second is not None:
        traded = overlays.fewer_winners(tables.losers, traded, multiply_high(second.word, tables.losers.number))
    if tables.worst_day is not None and draw.to_worst is not None:
        traded = overlays.strike(tables.worst_day, traded, draw.to_worst == jnp.int32(0))
        draw = draw._replace(to_worst=overlays.nearer(draw.to_worst, over))
    return draw, traded if tables.step is None else overlays.with_steps(tables.step, traded), over


def _drawn(
    model: Model, *, fixed_days: bool, tables: Tables, draw: Draw, word: jax.Array, second: Second | None
) -> tuple[Draw, Traded, jax.Array]:
    match model:
        case Model.IID:
            cursor, remainder = multiply_high(word, tables.trades)
            draw, cursor = _weighted(tables, draw, cursor, jnp.bool_(True), second)  # noqa: FBT003 — a value
            return _with_day(tables, draw, _take(tables, cursor)[0], remainder, fixed_days=fixed_days)
        case Model.DAY:
            return _next_of_day(tables, draw, word, second)
        case Model.STATIONARY:
            return _next_of_block(tables, draw, word, second, fixed_days=fixed_days)
        case Model.CIRCULAR:
            return _next_of_fixed_block(tables, draw, word, second, fixed_days=fixed_days)
        case Model.NORMAL | Model.STUDENT_T:
            remainder = word * jnp.uint32(GOLDEN)
            return _with_day(tables, draw, _quantile(tables, word), remainder, fixed_days=fixed_days)


def _weighted(
    tables: Tables, draw: Draw, index: jax.Array, fresh: jax.Array, second: Second | None
) -> tuple[Draw, jax.Array]:
    """The index that is drawn where this trade begins with a fresh draw, and the odds that go with it."""
    if tables.tilt is None or draw.odds is None or second is None:
        return draw, index
    first = odds.first_of_row(tables.tilt, tables.packed.size, second.room, draw.in_day)
    index = odds.weighted(tables.tilt, draw.odds, first, index, second.word)
    return draw._replace(odds=odds.after_draw(tables.tilt, draw.odds, first + index, fresh)), index


def _quantile(tables: Tables, word: jax.Array) -> Traded:
    if tables.curve is None:
        raise ValueError("A fitted model needs its curve: load the tables of a plan of that model.")
    return Traded(pnl=curve.read(tables.curve, word))


def _take(tables: Tables, cursor: jax.Array) -> tuple[Traded, jax.Array]:
    """Each path's trade, and whether it was the last of its day in the history."""
    packed = once(tables.trades != jnp.uint32(0), partial(_at, tables.packed), cursor)
    traded = Traded(
        pnl=packed >> jnp.int32(1),
        low=None if tables.low is None else _at(tables.low, cursor),
        high=None if tables.high is None else _at(tables.high, cursor),
    )
    return traded, (packed & jnp.int32(1)) == jnp.int32(1)


def _at(table: jax.Array, cursor: jax.Array) -> jax.Array:
    return table.at[cursor].get(mode="promise_in_bounds")


def _with_day(
    tables: Tables, draw: Draw, traded: Traded, remainder: jax.Array, *, fixed_days: bool
) -> tuple[Draw, Traded, jax.Array]:
    """Ends the day after its fixed number of trades, or by the hazard against a uniform remainder."""
    if fixed_days:
        return _count_to_fixed(tables, draw, traded)
    hazard = _at(tables.hazard, draw.in_day.astype(jnp.uint32))
    in_day = draw.in_day + jnp.int32(1)
    over = (remainder < hazard) | (in_day >= tables.longest_day)
    return draw._replace(in_day=jnp.where(over, jnp.int32(0), in_day)), traded, over


def _count_to_fixed(tables: Tables, draw: Draw, traded: Traded) -> tuple[Draw, Traded, jax.Array]:
    in_day = draw.in_day + jnp.int32(1)
    over = in_day >= tables.trades_per_day
    return draw._replace(in_day=jnp.where(over, jnp.int32(0), in_day)), traded, over


def _next_of_day(tables: Tables, draw: Draw, word: jax.Array, second: Second | None) -> tuple[Draw, Traded, jax.Array]:
    day, _ = multiply_high(word, tables.days)
    draw, day = _weighted(tables, draw, day, draw.day_over, second)
    cursor = jnp.where(draw.day_over, _at(tables.day_start, day), draw.cursor + jnp.uint32(1))
    traded, over = _take(tables, cursor)
    return draw._replace(cursor=cursor, day_over=over), traded, over


def _next_of_block(
    tables: Tables, draw: Draw, word: jax.Array, second: Second | None, *, fixed_days: bool
) -> tuple[Draw, Traded, jax.Array]:
    draw, fresh, begins = _begins_a_block(tables, draw, word, second)
    cursor = jnp.where(begins, fresh, _following(tables, draw))
    return _after_block(tables, draw._replace(cursor=cursor), fixed_days=fixed_days)


def _begins_a_block(
    tables: Tables, draw: Draw, word: jax.Array, second: Second | None
) -> tuple[Draw, jax.Array, jax.Array]:
    """Where a block would begin, and whether one does."""
    tilt = tables.tilt
    if tilt is None or tilt.restart is None or draw.odds is None or second is None:
        return draw, multiply_high(word, tables.restart_scale)[0], word <= tables.restart_below
    first = odds.first_of_row(tilt, tables.packed.size, second.room, draw.in_day)
    weighted, below = odds.restart_below(tilt.restart, draw.odds, first + draw.cursor, tables.restart_below)
    begins = word <= below
    fresh = odds.weighted(tilt, draw.odds, first, *multiply_high(second.word, tables.trades))
    found = odds.after_block(tilt, tilt.restart, draw.odds, below=weighted, index=first + fresh, begins=begins)
    return draw._replace(odds=found), fresh, begins


def _next_of_fixed_block(
    tables: Tables, draw: Draw, word: jax.Array, second: Second | None, *, fixed_days: bool
) -> tuple[Draw, Traded, jax.Array]:
    fresh, _ = multiply_high(word, tables.trades)
    begins = draw.in_block == jnp.int32(0)
    draw, fresh = _weighted(tables, draw, fresh, begins, second)
    cursor = jnp.where(begins, fresh, _following(tables, draw))
    in_block = draw.in_block + jnp.int32(1)
    in_block = jnp.where(in_block >= tables.block, jnp.int32(0), in_block)
    return _after_block(tables, draw._replace(cursor=cursor, in_block=in_block), fixed_days=fixed_days)


def _following(tables: Tables, draw: Draw) -> jax.Array:
    following = draw.cursor + jnp.uint32(1)
    return jnp.where(following >= tables.trades, jnp.uint32(0), following)


def _after_block(tables: Tables, draw: Draw, *, fixed_days: bool) -> tuple[Draw, Traded, jax.Array]:
    traded, over = _take(tables, draw.cursor)
    return _count_to_fixed(tables, draw, traded) if fixed_days else (draw, traded, over)
