"""What the engine promises: the same bits however the work is cut, defaults settled by the plan, exact amounts."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from simulator import engine
from simulator.errors import AmountsTooLarge, InvalidInput
from simulator.spec import REACH, Model, Rules, Settings
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
    assert np.array_equal(whole.fan, np.concatenate([part.fan for part in parts], axis=1))


def test_more_paths_leave_the_first_ones_as_they_were() -> None:
    few, many = (replace(plan_of(Settings(paths=paths, seed=3)), block_paths=512) for paths in (100, 400))
    assert np.array_equal(engine.finished(few, 0).final_pnl, engine.finished(many, 0).final_pnl[:100])


def test_seeds_that_differ_only_in_their_upper_half_give_other_futures() -> None:
    low, high = (replace(plan_of(Settings(paths=512, seed=seed)), block_paths=512) for seed in (5, 5 + (1 << 32)))
    assert not np.array_equal(engine.finished(low, 0).final_pnl, engine.finished(high, 0).final_pnl)


def test_the_fan_is_taken_from_the_first_paths_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.device.FAN_PATHS", 2_048)
    tally = engine.simulate(small_blocks(Settings(paths=PATHS, seed=7)))
    assert {day.count for day in tally.fan} == {2_048}


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
    assert plan_of(Settings(block_length=4.5)).block_length == 4.5
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


def test_planning_does_not_load_jax() -> None:
    code = "import sys; from simulator import engine, codec; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_every_model_keeps_the_mean_of_the_history() -> None:
    """Mean P&L a trade over 16,384 paths without rules, within 5 standard errors of iid (false alarm < 1e-5).

    Blocks and days correlate trades, which here widens the spread by less than half.
    """
    pnl = np.concatenate([np.array(day) for day in DAYS])
    free = Rules(starting_balance_minor=START)
    for model in Model:
        found = engine.finished(plan_of(Settings(paths=16_384, model=model, seed=1), rules=free), 0)
        steps = int(found.trades.sum())
        assert steps / (16_384 * 60) == pytest.approx(len(pnl) / len(DAYS), rel=0.01)
        assert found.final_pnl.sum() / steps == pytest.approx(pnl.mean(), abs=1.5 * 5 * pnl.std() / np.sqrt(steps))
