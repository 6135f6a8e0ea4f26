"""The block kernel: many paths side by side, one trade a step, until every path has ended.

It only wires the parts: random bits (`rng`), the next trade (`models`), the rules (`rules`), the balances to show
(`fan`). Which rules are on is static; all numbers are traced, and tables are padded to buckets, so jobs of one shape
share one compilation.

Lanes are visited a tile at a time, so that what a step touches stays near the core. Once the living fit half the tiles,
they are moved together: a path that has ended costs no more than that. All lanes share one count of steps. On a CPU all
of this is compiled as one function.

The random bits of a pair of steps are drawn `once`, which takes one array: the two words travel as one complex number.
Nothing is calculated with that number.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from simulator import rng
from simulator.ended import Bins, Ended
from simulator.kernel import lanes, models, odds, rules
from simulator.kernel.bins import binned
from simulator.kernel.ending import Held, yielded
from simulator.kernel.fan import record
from simulator.kernel.models import Draw
from simulator.kernel.once import once
from simulator.kernel.rules import State
from simulator.levels import Levels
from simulator.shape import Shape
from simulator.tables import Fan, Tables

START: Final = 0xFFFFFFFF
"""The pair of steps that no path reaches; its words say where a path starts."""
SECOND_STREAM: Final = 1 << 31
"""Added to a pair of steps: the counter of the words that stress draws from. No path has so many pairs."""
PAIRS_A_VISIT: Final = 8
"""Pairs of steps between two looks at which paths still live. Ended paths stand still, so it changes nothing."""
PAIRS_AT_ONCE: Final = 2
"""Pairs that a loop of a known length takes together: its state is read and written once for them."""


class Job(NamedTuple):
    """What is traced: the history, the rules' numbers, the shown days or None, the key uint32[2], uint32 first path,
    and int32 how many paths from there on.
    """

    tables: Tables
    levels: Levels
    fan: Fan | None
    key: jax.Array
    first_path: jax.Array
    paths: jax.Array


class Loop(NamedTuple):
    """What the steps change. `pair` is the next pair of steps."""

    pair: jax.Array
    draw: Draw
    state: State
    fan: jax.Array | None


class Block(NamedTuple):
    """All lanes. path: uint32[lanes], which path of the block each holds; visited: int32[], how many lanes, always
    whole tiles, hold every path that lives; what the others hold says nothing; living: int32[], how many live; ended:
    what the lanes held, by path, when they were last moved; moved: bool[], whether they ever were.
    """

    loop: Loop
    path: jax.Array
    visited: jax.Array
    living: jax.Array
    ended: Held
    moved: jax.Array


class Words(NamedTuple):
    """The random bits of a pair of steps, complex64[lanes]; `more`: of the second stream, None where nothing draws."""

    words: jax.Array
    more: jax.Array | None


def run_block(shape: Shape, job: Job) -> tuple[Ended, Bins]:
    """Simulates `job.paths` paths from `job.first_path` to their ends. The lanes beyond them say nothing."""
    if shape.lanes == shape.tile:
        held = _held(lax.while_loop(_any_living, partial(_round, shape, job), _begin(shape, job)).loop)
    else:
        held = lax.while_loop(_any_living, partial(_stage, shape, job), _begin(shape, job)).ended
    ended = yielded(
        shape.features,
        job.levels,
        held,
        trades_per_day=job.tables.trades_per_day if shape.fixed_days else None,
        fan=job.fan,
    )
    return ended, Bins(*binned(ended.final_pnl), *binned(ended.max_drawdown))


def _words(job: Job, path: jax.Array, pair: jax.Array) -> Words:
    more = _drawn(job, path, pair + jnp.uint32(SECOND_STREAM)) if _draws_twice(job) else None
    return Words(words=_drawn(job, path, pair), more=more)


def _draws_twice(job: Job) -> bool:
    """Whether a trade takes a word of the second stream too."""
    return job.tables.losers is not None or job.tables.tilt is not None


def _drawn(job: Job, path: jax.Array, pair: jax.Array) -> jax.Array:
    first, second = rng.threefry2x32((job.key[0], job.key[1]), (job.first_path + path, pair))
    return lax.complex(_as(first, jnp.float32), _as(second, jnp.float32))


def _first(words: jax.Array) -> jax.Array:
    return _as(lax.real(words), jnp.uint32)


def _second(words: jax.Array) -> jax.Array:
    return _as(lax.imag(words), jnp.uint32)


_as = lax.bitcast_convert_type


def _begin(shape: Shape, job: Job) -> Block:
    """Lanes of no path have ended."""
    loop, path = _start(shape, job), lax.iota(jnp.uint32, shape.lanes)
    wanted = path < job.paths.astype(jnp.uint32)
    state = loop.state._replace(end=jnp.where(wanted, loop.state.end, rules.stamp(loop.state, rules.PASSED)))
    loop = loop._replace(state=state)
    return Block(
        loop=loop,
        path=path,
        visited=_whole_tiles(shape, job.paths),
        living=job.paths,
        ended=_held(loop),
        moved=jnp.bool_(False),  # noqa: FBT003 — a value
    )


def _start(shape: Shape, job: Job) -> Loop:
    path = lax.iota(jnp.uint32, shape.lanes)
    origin = _drawn(job, path, jnp.uint32(START))
    third = None if job.tables.tilt is None else _first(_drawn(job, path, jnp.uint32(START - 1)))
    return Loop(
        pair=jnp.uint32(0),
        draw=models.begin(
            shape.model,
            fixed_days=shape.fixed_days,
            tables=job.tables,
            word=_first(origin),
            second=_second(origin),
            third=third,
        ),
        state=rules.fresh(shape.features, job.levels, (shape.lanes,), shared_day=shape.fixed_days),
        fan=None if job.fan is None else jnp.zeros((job.fan.shown_day.size, shape.lanes), jnp.int32),
    )


def _whole_tiles(shape: Shape, living: jax.Array) -> jax.Array:
    """Lanes of as many tiles as the living fill."""
    tile = jnp.int32(shape.tile)
    return jnp.asarray((living + tile - jnp.int32(1)) // tile * tile)


def _any_living(block: Block) -> jax.Array:
    return jnp.asarray(block.living > jnp.int32(0))


def _stage(shape: Shape, job: Job, block: Block) -> Block:
    """Rounds until the living fit half the tiles; then what has ended is kept, and the living are moved."""

    def fill(block: Block) -> jax.Array:
        return jnp.asarray(_any_living(block) & (jnp.int32(2) * _whole_tiles(shape, block.living) > block.visited))

    return _moved(shape, lax.while_loop(fill, partial(_round, shape, job), block))


def _round(shape: Shape, job: Job, block: Block) -> Block:
    """Some steps of every lane that is visited."""
    before = block.loop
    pairs = _pairs(shape, job, before.pair) if shape.pairs is None else shape.pairs

    def steps(path: jax.Array, tile: Loop) -> tuple[Loop, jax.Array]:
        one_pair = partial(_next_pair, shape, job, path)
        after: Loop
        if shape.pairs is None:
            after = lax.fori_loop(jnp.int32(0), pairs, one_pair, tile)
        else:
            after = lax.fori_loop(0, pairs, one_pair, tile, unroll=PAIRS_AT_ONCE)
        return after, jnp.sum(rules.living(after.state), dtype=jnp.int32)

    def visit(number: jax.Array, found: tuple[Loop, jax.Array]) -> tuple[Loop, jax.Array]:
        loop, living = found
        at = number * jnp.int32(shape.tile)
        path = lax.dynamic_slice(block.path, (at,), (shape.tile,))
        after, more = steps(path, lanes.cut(loop, before, at, shape.tile))
        return lanes.put(loop, after, at), living + more

    if shape.lanes == shape.tile:
        loop, living = steps(block.path, before)
    else:
        tiles = block.visited // jnp.int32(shape.tile)
        loop, living = lax.fori_loop(jnp.int32(0), tiles, visit, (before, jnp.int32(0)))
    return block._replace(loop=loop, living=living)


def _pairs(shape: Shape, job: Job, done: jax.Array) -> jax.Array | int:
    """How many pairs of steps a visit takes: where the last step of all paths is known, none beyond it."""
    if not shape.fixed_days:
        return PAIRS_A_VISIT
    last = (job.levels.horizon_days * job.tables.trades_per_day + jnp.int32(1)) // jnp.int32(2)
    return jnp.clip(last - done.astype(jnp.int32), jnp.int32(1), jnp.int32(PAIRS_A_VISIT))


def _moved(shape: Shape, block: Block) -> Block:
    """What all lanes have held kept, and the living in the first lanes that have room for them.

    At least half the tiles are left, so they hold as many paths that have ended as those that are kept have room for
    beside the living. These come last, so each comes from a tile that is left: `lanes.closed_up` may work in place.
    """
    needed = _whole_tiles(shape, block.living)
    ended, visited = _kept(shape, block)
    order = lanes.living_first(rules.living(block.loop.state), jnp.where(_any_living(block), visited, jnp.int32(0)))
    loop, path = lanes.closed_up((block.loop, block.path), order, needed, shape.tile)
    return block._replace(loop=loop, path=path, ended=ended, visited=needed, moved=jnp.bool_(True))  # noqa: FBT003 — a value


def _held(loop: Loop) -> Held:
    return Held(state=loop.state, odds=None if loop.draw.odds is None else loop.draw.odds.found, fan=loop.fan)


def _kept(shape: Shape, block: Block) -> tuple[Held, jax.Array]:
    """What all lanes have held, by path, and how many were visited. Lanes that were never moved are copied, which is
    faster.

    One of the two loops has no steps: for a choice between them XLA would copy all lanes.
    """
    held = _held(block.loop)
    first, later = (jnp.where(block.moved == moved, block.visited, jnp.int32(0)) for moved in (False, True))
    ended, copied = lanes.kept(block.ended, held, None, first, shape.tile)
    ended, placed = lanes.kept(ended, held, block.path, later, shape.tile)
    return ended, copied + placed


def _next_pair(shape: Shape, job: Job, path: jax.Array, _: object, loop: Loop) -> Loop:
    words, more = once(loop.pair != jnp.uint32(START), partial(_words, job), path, loop.pair)
    loop = _step(shape, job, loop, _first(words), None if more is None else _first(more))
    loop = _step(shape, job, loop, _second(words), None if more is None else _second(more))
    return loop._replace(pair=loop.pair + jnp.uint32(1))


def _step(shape: Shape, job: Job, loop: Loop, word: jax.Array, second: jax.Array | None) -> Loop:
    more = None if second is None else models.Second(word=second, room=_room(shape, job, loop.state))
    draw, traded, over = models.next_trade(
        shape.model, fixed_days=shape.fixed_days, tables=job.tables, draw=loop.draw, word=word, second=more
    )
    if draw.odds is not None and loop.draw.odds is not None:
        draw = draw._replace(odds=odds.of_living(draw.odds, loop.draw.odds, rules.living(loop.state)))
    day = loop.state.day
    state = rules.after_trade(shape.features, job.levels, loop.state, traded, over)
    shown = rules.shown(shape.features, job.levels, state)
    fan = None if job.fan is None or loop.fan is None else record(job.fan, loop.fan, day, shown)
    return loop._replace(draw=draw, state=state, fan=fan)


def _room(shape: Shape, job: Job, state: State) -> jax.Array | None:
    """What the trades to come must lose for a breach of the day's limit, where weights depend on it; by the trades of
    the history, of which those to come may be multiples.
    """
    if job.tables.tilt is None or job.tables.tilt.rooms is None:
        return None
    room, step = rules.room_of_day(shape.features, job.levels, state), job.tables.step
    if step is None:
        return room
    size = 1 + state.steps.astype(jnp.float64) * (step.share.astype(jnp.float64) * 1e-6)
    return jnp.asarray(jnp.ceil(room.astype(jnp.float64) / size).astype(jnp.int32))
