"""What the engine promises: the same bits however the work is cut, defaults settled by the plan, exact amounts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator import engine
from simulator.bins import Binned
from simulator.compiled import Prepared
from simulator.counts import MOST_PATHS, Counts
from simulator.device import (
    BLOCKS_ON_A_GPU,
    MOST_STEPS,
    MOST_STEPS_ON_A_GPU,
    OF_A_SMALL_PLAN,
    PAIRS_ON_A_GPU,
    TILE,
    Stretch,
    side_by_side,
    stretches,
)
from simulator.ended import Bins, Ended
from simulator.errors import AmountsTooLarge, InvalidInput
from simulator.kernel import leaving
from simulator.shape import Shape
from simulator.spec import REACH, DrawdownKind, MaxDrawdown, MinimumDays, Model, Rules, Settings
from simulator.tally import Tally
from tests.unit.simulator.samples import DAYS, FRESH, RULES, START, plan_of

PATHS = 5 * 1_024 + 100


def small_blocks(settings: Settings) -> engine.Plan:
    """A plan of six blocks, the last of them not full."""
    return replace(plan_of(settings), block_paths=1_024, blocks=6)


@pytest.mark.parametrize("model", Model)
def test_chunks_and_threads_change_no_bit_of_the_tally(model: Model) -> None:
    plan = small_blocks(Settings(paths=PATHS, model=model, seed=7))
    whole = engine.simulate(plan, chunk_blocks=plan.blocks, threads=3)
    assert whole.paths == PATHS
    for chunk_blocks, threads in ((1, 1), (3, 2)):
        assert engine.simulate(plan, chunk_blocks=chunk_blocks, threads=threads).to_bytes() == whole.to_bytes()
    backwards = [engine.run(plan, block, 1) for block in reversed(range(plan.blocks))]
    merged = Tally.empty()
    for each in backwards:
        merged = Tally.merge(each, merged)
    assert merged.to_bytes() == whole.to_bytes()


def test_the_size_of_a_block_changes_no_path() -> None:
    settings = Settings(paths=2_048, seed=11)
    large = replace(plan_of(settings), block_paths=2_048, blocks=1)
    small = replace(large, block_paths=512, blocks=4)
    whole, parts = engine.finished(large, 0), [engine.finished(small, block) for block in range(4)]
    for name in ("outcome", "final_pnl", "max_drawdown", "days", "trades"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts]))
    assert np.array_equal(whole.fan[:, :512], parts[0].fan)


FAR = MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=10**7, lock_minor=START)
ENDING = {
    "most paths end soon": replace(RULES, target_minor=START + 100, minimum_days=MinimumDays(days=1)),
    "paths end all the time": RULES,
    "no path ends early": replace(RULES, target_minor=START + 10**7, max_drawdown=FAR),
}


@pytest.mark.parametrize("trades_per_day", [None, 2])
@pytest.mark.parametrize("rules", ENDING.values(), ids=ENDING)
def test_paths_moved_together_as_others_end_stay_the_same(rules: Rules, trades_per_day: int | None) -> None:
    """8,192 lanes are four tiles, which the paths that still live leave one by one; 1,024 are one tile."""
    settings = Settings(paths=8_000, seed=11, trades_per_day=trades_per_day)
    large = replace(plan_of(settings, rules=rules), block_paths=8_192, blocks=1, fan_paths=0)
    small = replace(large, block_paths=1_024, blocks=8)
    whole, parts = engine.finished(large, 0), [engine.finished(small, block) for block in range(8)]
    for name in ("outcome", "final_pnl", "max_drawdown", "days", "trades"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts])), name


def test_bins_found_on_the_device_are_those_of_the_histogram() -> None:
    trades = ((2_000_000, -1_700_000, 35, -3), (-90_000, 60_000, 1_999))
    plan = plan_of(Settings(paths=2_048, seed=3), days=trades, rules=Rules(starting_balance_minor=10**8))
    found = engine.finished(plan, 0)
    for known, values in ((found.pnl_bins, found.final_pnl), (found.drawdown_bins, found.max_drawdown)):
        assert known is not None
        for one, other in zip(known, Binned.of(values), strict=True):
            assert np.array_equal(one, other)
        assert np.abs(known.keys).max() > 4_096
        assert np.asarray(known.excess).max() > 1_000


def test_more_paths_leave_the_first_ones_as_they_were() -> None:
    few, many = (replace(plan_of(Settings(paths=paths, seed=3)), block_paths=512) for paths in (100, 400))
    assert np.array_equal(engine.finished(few, 0).final_pnl, engine.finished(many, 0).final_pnl[:100])


def test_seeds_that_differ_only_in_their_upper_half_give_other_futures() -> None:
    low, high = (replace(plan_of(Settings(paths=512, seed=seed)), block_paths=512) for seed in (5, 5 + (1 << 32)))
    assert not np.array_equal(engine.finished(low, 0).final_pnl, engine.finished(high, 0).final_pnl)


def test_the_fan_is_taken_from_the_first_paths_alone() -> None:
    plan = replace(small_blocks(Settings(paths=PATHS, seed=7)), fan_paths=512)
    tally = engine.simulate(plan)
    assert tally.paths == PATHS
    assert tally.fan == Tally.of(engine.finished(replace(plan, paths=512), 0)).fan
    assert engine.simulate(replace(plan, fan_paths=0)).fan is None


def test_taking_the_fan_changes_no_other_figure() -> None:
    plan = small_blocks(Settings(paths=PATHS, seed=7))
    with_fan, without = (engine.simulate(replace(plan, fan_paths=paths)) for paths in (512, 0))
    assert replace(with_fan, fan=None).to_bytes() == without.to_bytes()


def test_progress_rises_to_all_paths() -> None:
    seen: list[tuple[int, int]] = []
    engine.simulate(small_blocks(Settings(paths=PATHS)), lambda *told: seen.append(told), chunk_blocks=2)
    assert seen == [(2_048, PATHS), (4_096, PATHS), (PATHS, PATHS)]


def test_a_run_stops_at_the_last_block() -> None:
    plan = small_blocks(Settings(paths=PATHS, seed=7))
    assert engine.run(plan, 4, 99).paths == PATHS - 4 * 1_024


@pytest.mark.parametrize(
    ("asked", "limit", "traded", "horizon"),
    [(None, None, 0, 60), (None, 30, 0, 30), (None, 30, 12, 18), (100, 30, 12, 18), (5, 30, 12, 5), (90, None, 7, 90)],
)
def test_the_horizon_is_the_nearer_of_what_is_asked_and_what_is_left_of_the_time_limit(
    asked: int | None, limit: int | None, traded: int, horizon: int
) -> None:
    rules = replace(RULES, time_limit_days=limit)
    account = replace(FRESH, days_traded=traded)
    assert plan_of(Settings(horizon_days=asked), rules=rules, account=account).horizon_days == horizon


def test_an_open_seed_comes_from_the_input_digest() -> None:
    assert plan_of(Settings()).seed == 0xABABABABABABABAB
    assert plan_of(Settings(seed=0)).seed == 0


def test_the_block_length_is_that_of_the_model() -> None:
    assert plan_of(Settings(model=Model.IID)).block_length == 1.0
    assert plan_of(Settings(model=Model.DAY)).block_length == 0.0
    rounded = plan_of(Settings(block_length=4.5))
    assert rounded.block_length * rounded.history.trades == pytest.approx(round(4.5 * rounded.history.trades))
    assert plan_of(Settings()).block_length >= 1.0


@pytest.mark.parametrize("horizon", [1, 2, 60, 63, 64, 10_000])
def test_shown_days_run_from_the_start_to_the_horizon(horizon: int) -> None:
    plan = plan_of(Settings(horizon_days=horizon))
    assert (plan.shown_days[0], plan.shown_days[-1]) == (0, horizon)
    assert np.all(np.diff(plan.shown_days) > 0)
    assert plan.fan_days == min(64, horizon + 1)


def test_a_plan_survives_pickling() -> None:
    plan = small_blocks(Settings(paths=PATHS, seed=7))
    assert engine.run(pickle.loads(pickle.dumps(plan)), 0, 1).to_bytes() == engine.run(plan, 0, 1).to_bytes()


def test_a_balance_beyond_the_exact_range_is_refused_not_wrapped() -> None:
    free = Rules(starting_balance_minor=START)
    plan = plan_of(Settings(paths=10, horizon_days=10, model=Model.IID), days=((REACH // 4,),), rules=free)
    with pytest.raises(AmountsTooLarge, match="shorter horizon"):
        engine.run(plan, 0, 1)


def test_a_horizon_of_more_trades_than_are_counted_is_refused() -> None:
    busy = ((1,) * 40_000,)
    with pytest.raises(InvalidInput, match="at most 6710 days"):
        plan_of(Settings(horizon_days=10_000, model=Model.DAY), days=busy)
    assert plan_of(Settings(horizon_days=6_710, model=Model.DAY), days=busy).horizon_days == 6_710
    with pytest.raises(InvalidInput, match="at most 1677 days"):
        plan_of(Settings(horizon_days=10_000), days=busy)
    assert plan_of(Settings(horizon_days=10_000, trades_per_day=10_000), days=busy).horizon_days == 10_000


@pytest.mark.parametrize("sign", [1, -1])
def test_a_balance_that_wraps_all_the_way_round_is_still_refused(sign: int) -> None:
    free = Rules(starting_balance_minor=START)
    plan = plan_of(Settings(paths=10, horizon_days=8, model=Model.IID), days=((sign * REACH,),), rules=free)
    with pytest.raises(AmountsTooLarge):
        engine.run(plan, 0, 1)


def test_large_trades_are_fine_where_a_rule_ends_the_path_in_time() -> None:
    plan = plan_of(
        Settings(paths=10, horizon_days=10, model=Model.IID),
        days=((REACH // 4,),),
        rules=Rules(starting_balance_minor=START, target_minor=START + REACH // 2),
    )
    tally = engine.run(plan, 0, 1)
    assert (tally.outcomes, tally.steps) == ((10, 0, 0, 0), 20)


def test_an_account_far_larger_than_32_bits_is_exact() -> None:
    huge = 10**14
    shifted = Rules(starting_balance_minor=huge, target_minor=huge + 500)
    account = replace(FRESH, balance_minor=huge, high_water_mark_minor=huge)
    settings = Settings(paths=1_000, seed=5)
    here = engine.run(plan_of(settings, rules=shifted, account=account), 0, 1)
    there = engine.run(plan_of(settings, rules=Rules(starting_balance_minor=START, target_minor=START + 500)), 0, 1)
    assert here.to_bytes() == there.to_bytes()


@pytest.mark.parametrize("blocks", [range(0), range(1), range(2), range(3, 5), range(25), range(7, 68)])
def test_batches_are_all_blocks_once_and_about_as_long(blocks: range) -> None:
    found = engine.in_batches(blocks)
    assert [block for batch in found for block in batch] == list(blocks)
    sizes = {len(batch) for batch in found}
    assert max(sizes, default=0) <= engine.BLOCKS_A_TALLY
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert len(found) >= min(2, len(blocks))


def test_every_model_keeps_the_mean_of_the_history() -> None:
    """Mean P&L a trade over 16,384 paths without rules, within 5 standard errors of iid (false alarm < 1e-5).

    Blocks and days correlate trades, which here widens the spread by less than half.
    """
    pnl = np.concatenate([np.array(day) for day in DAYS])
    free = Rules(starting_balance_minor=START)
    for model in Model:
        plan = replace(plan_of(Settings(paths=16_384, model=model, seed=1), rules=free), fan_paths=0)
        found = engine.finished(plan, 0)
        steps = int(found.trades.sum())
        assert steps / (16_384 * 60) == pytest.approx(len(pnl) / len(DAYS), rel=0.01)
        assert found.final_pnl.sum() / steps == pytest.approx(pnl.mean(), abs=1.5 * 5 * pnl.std() / np.sqrt(steps))


def test_stretches_cover_every_path_once_and_are_as_few_as_can_be() -> None:
    around = (1 << 32) - 3 * 512
    for first, end in ((0, 1), (0, 4_096), (1_024, 9_000), (around, around + 5_000)):
        found = list(stretches(first, end, 4_096))
        assert [path for start, stop in found for path in (start, stop)][1:-1:2] == [start for start, _ in found[1:]]
        assert (found[0][0], found[-1][1]) == (first, end)
        assert all(start >> 32 == (stop - 1) >> 32 and 0 < stop - start <= 4_096 for start, stop in found)
        wraps = first >> 32 != (end - 1) >> 32
        assert len(found) <= -(-(end - first) // 4_096) + wraps


@pytest.mark.parametrize("blocks", [range(1), range(64), range(3, 68), range(1_000)])
def test_batches_are_few_where_blocks_run_together(blocks: range) -> None:
    found = engine.in_batches(blocks, 64)
    assert [block for batch in found for block in batch] == list(blocks)
    assert len(found) == -(-len(blocks) // 64)
    assert max(len(batch) for batch in found) <= 64


@pytest.mark.parametrize("blocks", [4, OF_A_SMALL_PLAN + 1])
def test_what_a_gpu_does_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch, blocks: int, launched: list[Stretch], pretend_a_gpu: Callable[[], None]
) -> None:
    """All that differs there, done here: blocks that run together, visits of a known length, paths counted there."""
    counted, shapes = [], []
    count, prepare = leaving.counted, Prepared.__init__

    def count_noted(ended: Ended, bins: Bins, paths: int, *, phases: int) -> tuple[bool, Counts]:
        counted.append(paths)
        return count(ended, bins, paths, phases=phases)

    def noted(prepared: Prepared, shape: Shape, *what: Any) -> None:
        shapes.append(shape)
        prepare(prepared, shape, *what)

    monkeypatch.setattr(leaving, "counted", count_noted)
    monkeypatch.setattr(Prepared, "__init__", noted)
    plan = replace(plan_of(Settings(paths=512 * blocks - 100, seed=7)), block_paths=512, blocks=blocks, fan_paths=256)
    whole = engine.run(plan, 0, plan.blocks, threads=1)
    assert not counted
    launched.clear()
    shapes.clear()
    pretend_a_gpu()
    assert engine.run(replace(plan), 0, plan.blocks, threads=1).to_bytes() == whole.to_bytes()
    assert counted == [plan.paths - 256]
    assert [shape.pairs for shape in shapes] == [PAIRS_ON_A_GPU] * 2
    assert launched == [Stretch(0, 256, with_fan=True), Stretch(256, plan.paths)]


def test_a_gpu_hands_over_no_more_paths_than_there_are(
    monkeypatch: pytest.MonkeyPatch, pretend_a_gpu: Callable[[], None]
) -> None:
    """One block of many, as those of rare breaches are flown."""
    plan = replace(small_blocks(Settings(paths=PATHS, seed=7)), fan_paths=0)
    alone = engine.finished(plan, 2)
    brought = []
    first = leaving.first

    def noted(ended: Ended, bins: Bins, lanes: int) -> tuple[Ended, Bins]:
        brought.append((ended.outcome.size, lanes))
        return first(ended, bins, lanes)

    monkeypatch.setattr(leaving, "first", noted)
    pretend_a_gpu()
    there = engine.finished(replace(plan), 2)
    assert all(np.array_equal(getattr(there, name), getattr(alone, name)) for name in ("outcome", "final_pnl", "days"))
    assert brought == [(OF_A_SMALL_PLAN * 1_024, 1_024)]


@pytest.mark.parametrize("fan_paths", [0, 10], ids=["counted", "brought"])
def test_a_gpu_refuses_amounts_that_are_too_large(pretend_a_gpu: Callable[[], None], fan_paths: int) -> None:
    pretend_a_gpu()
    free = Rules(starting_balance_minor=START)
    plan = plan_of(Settings(paths=10, horizon_days=10), days=((2**27,),), rules=free)
    with pytest.raises(AmountsTooLarge):
        engine.run(replace(plan, fan_paths=fan_paths), 0, 1)


def test_a_gpu_runs_so_many_paths_together_as_can_be_counted_together() -> None:
    plan = plan_of(Settings(paths=10**9))
    together = side_by_side(plan, "gpu")
    assert together.lanes == BLOCKS_ON_A_GPU * plan.block_paths <= MOST_PATHS


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize("trades", [1, 300, 2_000])
def test_what_runs_together_of_long_paths_ends_soon(backend: str, trades: int) -> None:
    plan = plan_of(Settings(paths=10**9, horizon_days=250, trades_per_day=trades, model=Model.IID))
    together, most = side_by_side(plan, backend), {"cpu": MOST_STEPS, "gpu": MOST_STEPS_ON_A_GPU}[backend]
    least = {"cpu": TILE, "gpu": OF_A_SMALL_PLAN * plan.block_paths}[backend]
    assert together.lanes == least or together.lanes * plan.mean_steps <= most
    assert together.lanes == side_by_side(plan_of(Settings(paths=10**9)), backend).lanes or (
        2 * together.lanes * plan.mean_steps > most
    )


def test_long_paths_yield_the_same_in_many_stretches(monkeypatch: pytest.MonkeyPatch, launched: list[Stretch]) -> None:
    plan = replace(plan_of(Settings(paths=3_000, seed=7)), block_paths=1_024, blocks=3, fan_paths=512)
    whole = engine.run(replace(plan), 0, 3)
    assert len(launched) == 4
    monkeypatch.setattr("simulator.device.MOST_STEPS", 256 * plan.mean_steps)
    cut = engine.run(replace(plan), 0, 3)
    assert [each.with_fan for each in launched[4:]] == [True] * 2 + [False] * 10
    assert cut.to_bytes() == whole.to_bytes()
