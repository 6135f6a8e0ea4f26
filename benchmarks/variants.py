"""The engine against itself with one thing changed: other rules, another model, paths that end early, fewer figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import numpy as np
import numpy.typing as npt

from benchmarks import case
from benchmarks.measure import Timing, side_by_side
from benchmarks.rows import Goal, Row, at_most
from benchmarks.runs import Change, changed, plan_of, run_of
from montecarlo.v1 import settings_pb2
from montecarlo.v1.result_pb2 import SimulationResult
from simulator import crew, engine, result, rng
from simulator.compiled import where
from simulator.device import Device
from simulator.found import Found
from simulator.kernel.compiling import run_packed
from simulator.packing import Layout, Packed
from simulator.planning import Plan
from simulator.shape import Shape
from simulator.tally import Tally

PATHS = 200_000
MANY_PATHS = 1_000_000
"""A job whose fixed costs, the equity fan among them, are small beside its paths."""
SMALL_PATHS = 100_000
SMALL_DAYS = 60
Variant = tuple[str, str, tuple[Change, ...], Goal | None]
"""Its key, what it is, what is changed, and the goal."""

VARIANTS: tuple[Variant, ...] = (
    ("every_assessment_rule", "every rule of an assessment", (case.every_assessment_rule,), at_most(1.5)),
    ("every_funded_rule", "every rule of a funded account", (case.every_funded_rule,), at_most(1.5)),
    ("excursions", "the four rules, within trades", (case.excursions,), None),
    ("stationary", "stationary bootstrap", (case.stationary,), at_most(1.3)),
    ("days", "days of the history", (case.days_of_the_history,), None),
    ("stationary_days", "stationary, days of the history", (case.stationary, case.days_of_the_history), None),
)


BUSY_DAYS: tuple[Variant, ...] = (
    ("busy_assessment", "the same of an assessment, 3 trades a day", (case.every_assessment_rule,), None),
    ("busy_funded", "the same of a funded account, 3 trades a day", (case.every_funded_rule,), None),
)
"""What rules cost where not every step ends a day."""


def rows(threads: int, rounds: int) -> list[Row]:
    """Every variant."""
    return [
        *_a_step(VARIANTS, (), threads, rounds),
        *_a_step(BUSY_DAYS, (case.three_trades_a_day,), threads, rounds),
        _early_exit(threads, rounds),
        *_all_figures(threads, rounds),
        _rare_breaches(threads, rounds),
    ]


def _a_step(variants: Sequence[Variant], all_have: tuple[Change, ...], threads: int, rounds: int) -> list[Row]:
    """Time a path-step, over that of the typical case; `all_have`: changed in that case too."""
    calls = {key: run_of(changed(PATHS, *all_have, *changes), threads) for key, _, changes, _ in variants}
    timings = side_by_side({"base": run_of(changed(PATHS, *all_have), threads), **calls}, rounds=rounds)
    base = _s_a_step(timings["base"])
    return [
        Row(key=f"step_{key}", what=f"{what}, a step", figure=_s_a_step(timings[key]) / base, unit="x", goal=goal)
        for key, what, _, goal in variants
    ]


def _s_a_step(timing: Timing) -> float:
    assert isinstance(timing.answer, Tally)
    return timing.best_s / timing.answer.steps


def _early_exit(threads: int, rounds: int) -> Row:
    inputs = {"full": changed(MANY_PATHS), "early": changed(MANY_PATHS, case.most_end_early)}
    calls = {name: run_of(message, threads) for name, message in inputs.items()}
    timings = side_by_side(calls, rounds=rounds)
    early = timings["early"].answer
    assert isinstance(early, Tally)
    ended = early.trades_to_end.at_ranks(np.array([int(0.95 * MANY_PATHS)]))[0]
    assert ended <= 20, f"95% have ended only by day {ended:g}: the case no longer is what it says"
    return Row(
        key="early_exit",
        what="95% end by day 20 of 252, time",
        figure=timings["early"].best_s / timings["full"].best_s,
        unit="x",
        goal=at_most(0.25),
    )


def _all_figures(threads: int, rounds: int) -> list[Row]:
    """From the paths to the message with every figure, over the counts of the four outcomes and nothing else."""
    small = changed(SMALL_PATHS)
    small.settings.horizon_days = SMALL_DAYS
    found = []
    for key, message in (("figures", changed(MANY_PATHS)), ("figures_small", small)):
        plan = plan_of(message)
        timings = side_by_side(
            {"all": _figures_of(plan, threads), "outcomes": _outcomes_of(plan, threads)}, rounds=2 * rounds
        )
        _agree(timings)
        what = f"all figures and the fan, {plan.paths:,} x {plan.horizon_days}"
        figure = timings["all"].best_s / timings["outcomes"].best_s
        found.append(Row(key=key, what=what, figure=figure, unit="x", goal=at_most(1.2)))
    return found


def _rare_breaches(threads: int, rounds: int) -> Row:
    """A simulation with the usual settings of an account that is far from its floor, with its rare breaches sought."""
    message = changed(SMALL_PATHS, case.stationary, case.days_of_the_history, case.floor_far_away)
    message.settings.horizon_days = SMALL_DAYS
    sought = plan_of(message)
    message.settings.rare_events = settings_pb2.RARE_EVENTS_OFF
    plain = plan_of(message)
    calls = {name: partial(crew.simulate, plan, threads=threads) for name, plan in (("all", sought), ("plain", plain))}
    timings = side_by_side(calls, rounds=rounds)
    found = timings["all"].answer
    assert isinstance(found, Found)
    assert found.rare, "no breach is rare here: the case no longer is what it says"
    what = f"rare breaches sought, {sought.paths:,} x {SMALL_DAYS}, over the paths alone"
    return Row(key="rare", what=what, figure=timings["all"].best_s / timings["plain"].best_s, unit="x")


def _agree(timings: Mapping[str, Timing]) -> None:
    found = timings["all"].answer
    assert isinstance(found, SimulationResult)
    ends = found.outcomes
    shares = (ends.passed, ends.breached_max_drawdown, ends.breached_daily_loss, ends.expired)
    assert timings["outcomes"].answer == [round(each.value * found.paths) for each in shares]


def _figures_of(plan: Plan, threads: int) -> Callable[[], object]:
    return lambda: result.build(plan, engine.run(plan, 0, plan.blocks, threads=threads), 0.0)


def _outcomes_of(plan: Plan, threads: int) -> Callable[[], object]:
    """The same paths on as many threads, by a kernel that finds the outcomes and whether amounts were too large."""
    prepared, stride = Device(plan).usual, plan.block_paths
    key = rng.path_key(plan.seed, 0)

    def counts(first: int) -> npt.NDArray[np.int64]:
        count = min(stride, plan.paths - first)
        with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
            outcome, overflow = _outcomes(prepared.shape, prepared.layout, prepared.constants, where(key, first, count))
        assert not bool(overflow)
        return np.bincount(np.asarray(outcome)[:count], minlength=4)

    def run() -> list[int]:
        with ThreadPoolExecutor(threads) as pool:
            return np.sum(list(pool.map(counts, range(0, plan.paths, stride))), axis=0).tolist()  # type: ignore[no-any-return]

    return run


@partial(jax.jit, static_argnums=(0, 1))
def _outcomes(shape: Shape, layout: Layout, constants: Packed, paths: jax.Array) -> tuple[jax.Array, jax.Array]:
    ended, _ = run_packed(shape, layout, constants, paths)
    return ended.outcome, ended.overflow
