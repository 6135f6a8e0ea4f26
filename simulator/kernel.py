"""The block kernel: many paths side by side, one trade a step, until every path has ended.

It only wires the parts: random bits (`rng`), the next trade (`models`), the rules (`rules`), the balances to show
(`fan`). Which rules are on is static; all numbers are traced, and tables are padded to buckets, so jobs of one shape
share one compilation.

XLA's CPU backend gives each loop it emits one output, and computes a cheap producer again for every output that needs
it (an optimization barrier is dropped before it fuses). So the two words of a pair of steps travel as one complex
number, made one iteration ahead: what a loop carries is computed once. Nothing is calculated with that number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from simulator import models, rng, rules
from simulator.fan import Fan, record, settle
from simulator.models import Draw, Tables
from simulator.rules import Features, Levels, State
from simulator.spec import Model

START: Final = 0xFFFFFFFF
"""The pair of steps that no path reaches; its words say where a path starts."""
PAIRS_A_CHECK: Final = 4
"""Pairs of steps between two looks at whether any path still lives. Ended paths stand still, so it changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is static in a compilation. `fixed_days`: every day has `Tables.trades_per_day` trades."""

    features: Features
    model: Model
    fixed_days: bool
    paths: int


class Job(NamedTuple):
    """What is traced: the history, the rules' numbers, the shown days or None, the key uint32[2], uint32 first path."""

    tables: Tables
    levels: Levels
    fan: Fan | None
    key: jax.Array
    first_path: jax.Array


class Loop(NamedTuple):
    """What the loop carries. `pair` is the next pair of steps, `words` its random bits, complex64[paths]."""

    pair: jax.Array
    words: jax.Array
    draw: Draw
    state: State
    fan: jax.Array | None


class Ended(NamedTuple):
    """One entry a path, balances relative to the start; `overflow` bool[]: a balance left REACH; `fan` or None."""

    outcome: jax.Array
    balance: jax.Array
    max_drawdown: jax.Array
    day: jax.Array
    trades: jax.Array
    overflow: jax.Array
    fan: jax.Array | None


@partial(jax.jit, static_argnums=0)
def run_block(shape: Shape, job: Job) -> Ended:
    """Simulates `shape.paths` paths from `job.first_path` to their ends."""
    end = lax.while_loop(_any_alive, partial(_some_pairs, shape, job), _start(shape, job))
    return _ended(shape, job, end)


def _words(job: Job, paths: int, pair: jax.Array) -> jax.Array:
    path = job.first_path + lax.iota(jnp.uint32, paths)
    first, second = rng.threefry2x32((job.key[0], job.key[1]), (path, pair))
    return lax.complex(_as(first, jnp.float32), _as(second, jnp.float32))


def _first(words: jax.Array) -> jax.Array:
    return _as(lax.real(words), jnp.uint32)


def _second(words: jax.Array) -> jax.Array:
    return _as(lax.imag(words), jnp.uint32)


_as = lax.bitcast_convert_type


def _start(shape: Shape, job: Job) -> Loop:
    origin = _first(_words(job, shape.paths, jnp.uint32(START)))
    return Loop(
        pair=jnp.uint32(0),
        words=_words(job, shape.paths, jnp.uint32(0)),
        draw=models.begin(shape.model, fixed_days=shape.fixed_days, tables=job.tables, word=origin),
        state=rules.fresh(shape.features, job.levels, (shape.paths,), shared_day=shape.fixed_days),
        fan=None if job.fan is None else jnp.zeros((job.fan.shown_day.size, shape.paths), jnp.int32),
    )


def _any_alive(loop: Loop) -> jax.Array:
    return jnp.any(loop.state.end == jnp.int32(0))


def _some_pairs(shape: Shape, job: Job, loop: Loop) -> Loop:
    after: Loop = lax.fori_loop(0, PAIRS_A_CHECK, lambda _, each: _pair(shape, job, each), loop)
    return after


def _pair(shape: Shape, job: Job, loop: Loop) -> Loop:
    words, pair = loop.words, loop.pair + jnp.uint32(1)
    loop = _step(shape, job, loop, _first(words))
    loop = _step(shape, job, loop, _second(words))
    return loop._replace(pair=pair, words=_words(job, shape.paths, pair))


def _step(shape: Shape, job: Job, loop: Loop, word: jax.Array) -> Loop:
    draw, pnl, over = models.next_trade(
        shape.model, fixed_days=shape.fixed_days, tables=job.tables, draw=loop.draw, word=word
    )
    day = loop.state.day
    state = rules.after_trade(shape.features, job.levels, loop.state, pnl, over)
    fan = None if job.fan is None or loop.fan is None else record(job.fan, loop.fan, day, state.balance)
    return loop._replace(draw=draw, state=state, fan=fan)


def _ended(shape: Shape, job: Job, loop: Loop) -> Ended:
    state = loop.state
    trades = state.end >> jnp.int32(rules.CODE_BITS)
    per_day = job.tables.trades_per_day
    day = (trades + per_day - jnp.int32(1)) // per_day if shape.fixed_days else state.day
    code = state.end - (trades << jnp.int32(rules.CODE_BITS)) - jnp.int32(1)
    return Ended(
        outcome=code.astype(jnp.uint8),
        balance=state.balance,
        max_drawdown=state.max_drawdown,
        day=day,
        trades=trades,
        overflow=rules.left_reach(state),
        fan=None if job.fan is None or loop.fan is None else settle(job.fan, loop.fan, day, state.balance),
    )
