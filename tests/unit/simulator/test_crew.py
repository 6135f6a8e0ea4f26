"""A whole simulation on this machine's threads: the same bits however many, and the same again where it stops early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from montecarlo.v1 import result_pb2
from simulator import crew, engine, launching, rare, result, result_uncertainty
from simulator.device import Device, Stretch
from simulator.engine import Plan
from simulator.errors import AmountsTooLarge, InvalidInput
from simulator.found import Found
from simulator.launching import Flight, Launcher
from simulator.ledger import Ledger, Outline
from simulator.scenarios import Paired, plans
from simulator.sections import Section
from simulator.spec import (
    DrawdownKind,
    EstimationRisk,
    MaxDrawdown,
    Model,
    PrecisionTarget,
    Rules,
    Scenario,
    Settings,
    Stress,
)
from simulator.tally import Outcome
from tests.unit.simulator.samples import START, plan_of

BLOCK = 512
SCENARIOS = (Scenario(name="worse", stress=Stress(loss_factor=1.5)), Scenario(name="tight", limits_factor=0.5))
RISK = EstimationRisk(histories=20, paths=300)


def small_blocks(settings: Settings, block_paths: int = BLOCK) -> Plan:
    plan = plan_of(settings)
    return replace(plan, block_paths=block_paths, blocks=-(-plan.paths // block_paths))


def timeless(plan: Plan, found: Found) -> bytes:
    """The result's bytes without what a rerun with other settings may change."""
    built = result.build(plan, found, 0.0)
    built.ClearField("stop_reason")
    return built.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def whole() -> tuple[Plan, Found]:
    """Seven blocks, the last not full, with all that there is."""
    plan = small_blocks(Settings(paths=6 * BLOCK + 100, seed=7, scenarios=SCENARIOS, estimation_risk=RISK))
    return plan, crew.simulate(plan, threads=2)


def test_a_gpu_is_handed_as_many_blocks_as_it_runs_together(
    pretend_a_gpu: Callable[[], None], launched: list[Stretch]
) -> None:
    """From the first chunk on, but for the last and for the one with the fan."""
    plan = replace(small_blocks(Settings(paths=200 * 64, seed=7), block_paths=64), fan_paths=64)
    alone = crew.simulate(plan, threads=1)
    launched.clear()
    pretend_a_gpu()
    assert crew.simulate(replace(plan), threads=3).to_bytes() == alone.to_bytes()
    assert sorted(each.end - each.first for each in launched) == [64, 8 * 64, 63 * 64, 64 * 64, 64 * 64]


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_bit(whole: tuple[Plan, Found], threads: int) -> None:
    plan, found = whole
    assert crew.simulate(plan, threads=threads).to_bytes() == found.to_bytes()


def test_found_survives_its_serial_form(whole: tuple[Plan, Found]) -> None:
    found = whole[1]
    assert Found.from_bytes(found.to_bytes()) == found
    for broken in (b"", found.to_bytes()[:-1], found.to_bytes() + b"x", b"x" + found.to_bytes()[1:]):
        with pytest.raises(ValueError, match="start again"):
            Found.from_bytes(broken)


def test_the_paths_are_those_of_the_simulation_alone(whole: tuple[Plan, Found]) -> None:
    plan, found = whole
    assert found.tally.to_bytes() == engine.simulate(plan).to_bytes()


def test_a_scenario_has_the_paths_that_it_would_have_as_a_simulation_of_its_own(whole: tuple[Plan, Found]) -> None:
    plan, found = whole
    for each, pair in zip(plans(plan), found.pairs, strict=True):
        alone = engine.simulate(each)
        assert pair.outcomes == alone.outcomes
        assert pair.total == alone.final_pnl.total


def test_the_pairs_are_path_by_path(whole: tuple[Plan, Found]) -> None:
    plan, found = whole
    summed = [Paired(), Paired()]
    for block in range(plan.blocks):
        base = engine.finished(plan, block)
        summed = [
            sofar + Paired.of(base, engine.finished(other, block))
            for sofar, other in zip(summed, plans(plan), strict=True)
        ]
    assert tuple(summed) == found.pairs


def test_common_random_numbers_make_the_difference_more_precise_than_two_simulations(
    whole: tuple[Plan, Found],
) -> None:
    plan, found = whole
    built = result.build(plan, found, 0.0)
    for scenario in built.scenarios:
        paired = scenario.mean_final_pnl_difference.std_error
        apart = (scenario.mean_final_pnl.std_error**2 + built.final_pnl.mean.std_error**2) ** 0.5
        assert paired < 0.9 * apart


def test_every_history_is_done_once(whole: tuple[Plan, Found]) -> None:
    ends = whole[1].histories.ends
    assert sorted(ends) == list(range(20))
    assert {sum(each) for each in ends.values()} == {300}


def test_progress_rises_to_all_paths_those_on_resampled_histories_too() -> None:
    plan = small_blocks(Settings(paths=2 * BLOCK, seed=7, estimation_risk=RISK))
    told: list[tuple[int, int]] = []
    crew.simulate(plan, lambda *each: told.append(each))
    done = [each for each, _ in told]
    assert done == sorted(done)
    assert told[-1] == (2 * BLOCK + 20 * 300, 2 * BLOCK + 20 * 300)


def stopped_for_precision(half_width: float) -> tuple[Plan, Found]:
    target = (PrecisionTarget(outcome="passed", half_width=half_width),)
    plan = small_blocks(Settings(paths=40 * BLOCK, seed=7, precision=target, scenarios=SCENARIOS[:1]))
    return plan, crew.simulate(plan, threads=2)


def test_it_stops_at_the_first_look_at_which_the_interval_is_narrow_enough() -> None:
    plan, found = stopped_for_precision(0.011)
    passed = result.build(plan, found, 0.0).outcomes.passed
    blocks = found.tally.paths // BLOCK
    assert blocks in {8, 16, 32}
    assert (passed.ci_high - passed.ci_low) / 2 <= 0.011
    before = result.build(plan, Found(tally=engine.run(plan, 0, blocks // 2)), 0.0).outcomes.passed
    assert (before.ci_high - before.ci_low) / 2 > 0.011
    assert result.build(plan, found, 0.0).stop_reason == result_pb2.STOP_REASON_PRECISION


@pytest.mark.parametrize("threads", [1, 3])
def test_where_it_stops_does_not_depend_on_the_threads(threads: int) -> None:
    plan, found = stopped_for_precision(0.011)
    assert crew.simulate(plan, threads=threads).to_bytes() == found.to_bytes()


def test_a_rerun_with_so_many_paths_gives_the_same_bits_as_a_stop_for_precision() -> None:
    plan, found = stopped_for_precision(0.011)
    again = small_blocks(Settings(paths=found.tally.paths, seed=7, scenarios=SCENARIOS[:1]))
    assert timeless(again, crew.simulate(again)) == timeless(plan, found)


def test_a_precision_out_of_reach_takes_all_paths_and_says_how_many_it_would_take() -> None:
    target = (PrecisionTarget(outcome="passed", half_width=1e-4),)
    plan = small_blocks(Settings(paths=3 * BLOCK, seed=7, precision=target))
    built = result.build(plan, crew.simulate(plan), 0.0)
    assert (built.paths, built.stop_reason) == (3 * BLOCK, result_pb2.STOP_REASON_PATHS)
    [warning] = [each for each in built.warnings if each.code == "PRECISION_NOT_REACHED"]
    assert "paths ran out" in warning.message


def test_a_spent_time_budget_ends_with_whole_blocks_that_a_rerun_gives_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = small_blocks(Settings(paths=10_000 * BLOCK, seed=7, time_budget_s=5.0, estimation_risk=RISK))
    clock = Clock(monkeypatch, step_s=0.4)
    found = crew.simulate(plan, threads=2)
    built = result.build(plan, found, 0.0)
    assert built.stop_reason == result_pb2.STOP_REASON_TIME
    assert 1 <= found.tally.paths // BLOCK < 10_000
    assert found.tally.paths % BLOCK == 0
    assert len(found.histories.ends) == 20
    assert clock.reads > 0
    monkeypatch.undo()
    again = small_blocks(Settings(paths=found.tally.paths, seed=7, estimation_risk=RISK))
    assert timeless(again, crew.simulate(again)) == timeless(plan, found)


def test_a_time_budget_that_is_spent_at_once_still_gives_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = small_blocks(Settings(paths=100 * BLOCK, seed=7, time_budget_s=1e-9))
    Clock(monkeypatch, step_s=10.0)
    assert crew.simulate(plan, threads=1).tally.paths in {BLOCK, 2 * BLOCK, 3 * BLOCK}


def test_a_time_budget_counts_from_the_first_paths_not_from_when_an_account_waits_for_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = small_blocks(Settings(paths=100 * BLOCK, seed=7, time_budget_s=5.0))
    account = crew.Account(plan=plan, ledger=Ledger(Outline.of(plan)), begun=0.0)
    account.expire_if_late(1_000.0)
    monkeypatch.setattr("simulator.crew.time.monotonic", lambda: 1_000.0)
    assert account.take(1) is not None
    account.expire_if_late(1_004.9)
    assert account.take(1) is not None
    account.expire_if_late(1_005.0)
    assert account.take(1) is None


def test_small_accounts_fly_unless_more_than_their_paths_is_asked_for() -> None:
    small = Settings(paths=crew.MOST_BLOCKS * BLOCK, seed=7)
    asked = {"scenarios": SCENARIOS, "estimation_risk": RISK, "time_budget_s": 60.0}
    asked["precision"] = (PrecisionTarget(outcome="passed", half_width=0.01),)
    assert account_of(small).flies
    assert not any(account_of(replace(small, **{name: value})).flies for name, value in asked.items())
    assert not account_of(replace(small, paths=small.paths + 1)).flies
    long = replace(small, horizon_days=20_000, trades_per_day=1)
    assert account_of(replace(long, paths=crew.MOST_STEPS // 20_000)).flies
    assert not account_of(replace(long, paths=crew.MOST_STEPS // 20_000 + 1)).flies


def account_of(settings: Settings) -> crew.Account:
    plan = small_blocks(settings)
    return crew.Account(plan=plan, ledger=Ledger(Outline.of(plan)), begun=0.0)


def test_an_account_that_flew_is_done_only_with_the_breaches_that_its_paths_were_too_few_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ruin from 40 steps above the floor, up with 11/20: (9/11)^40, about 3 in 10,000 (Feller I, XIV)."""
    far = Rules(starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=40))
    settings = Settings(paths=rare.LEAST_PATHS, seed=7, horizon_days=300, trades_per_day=1, model=Model.IID)
    plan = plan_of(settings, days=((1,) * 11 + (-1,) * 9,), rules=far)
    assert crew.Account(plan=plan, ledger=Ledger(Outline.of(plan)), begun=0.0).flies
    flown = crew.simulate(plan)
    assert [event.outcome for event in flown.rare] == [Outcome.BREACHED_MAX_DRAWDOWN]
    monkeypatch.setattr(crew.Account, "flies", False)
    assert crew.simulate(plan).to_bytes() == flown.to_bytes()


def test_no_account_is_begun_while_there_are_chunks_to_hand_out() -> None:
    plans = [small_blocks(Settings(paths=400 * BLOCK, seed=7)), small_blocks(Settings(paths=BLOCK, seed=7))]
    ledgers: list[Ledger] = []
    left: list[int] = []

    def plan(index: int) -> Plan:
        if ledgers:
            left.append(ledgers[-1].unassigned(Section.PATHS))
        return plans[index]

    what = crew.Work(count=2, plan=plan, make=lambda *_: None, on_progress=ledgers.append)
    assert sorted(each.index for each in crew.work(what, threads=2)) == [0, 1]
    assert left == [0]
    assert len(ledgers) > 4


@pytest.mark.parametrize("threads", [1, 3, 8])
@pytest.mark.parametrize("units_per_s", [0.5, 70.0, 3_000.0])
def test_a_chunk_has_as_many_units_for_each_thread(threads: int, units_per_s: float) -> None:
    account = account_of(Settings(paths=2_000 * BLOCK, seed=7))
    assert account.size(threads) == threads
    account.units_per_s[Section.PATHS] = units_per_s
    size = account.size(threads)
    assert size % threads == 0
    assert threads <= size < units_per_s * crew.CHUNK_S + threads + 1


def test_nothing_flies_any_more_once_the_answers_are_closed(launched: list[Stretch]) -> None:
    plan = small_blocks(Settings(paths=BLOCK, seed=7))
    before = threading.active_count()
    what = crew.Work(count=100, plan=lambda _: plan, make=lambda *_: None)
    answers = crew.work(what, threads=2)
    assert next(answers).index == 0
    answers.close()  # type: ignore[attr-defined]  # a generator
    assert len(launched) <= 2 * launching.AHEAD + 2
    assert threading.active_count() == before


class Clock:
    """Time that passes by being read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, step_s: float) -> None:
        self.reads = 0
        self._step_s = step_s
        monkeypatch.setattr("simulator.crew.time.monotonic", self._read)

    def _read(self) -> float:
        self.reads += 1
        return self.reads * self._step_s


def test_an_input_that_turns_out_to_be_impossible_is_refused() -> None:
    plan = plan_of(Settings(paths=10, horizon_days=10), days=((2**27,),), rules=Rules(starting_balance_minor=START))
    with pytest.raises(AmountsTooLarge):
        crew.simulate(plan)


@pytest.mark.parametrize(
    ("done", "targets", "reason"),
    [
        (40, (), result_pb2.STOP_REASON_PATHS),
        (40, (0.9,), result_pb2.STOP_REASON_PRECISION),
        (40, (1e-9,), result_pb2.STOP_REASON_PATHS),
        (8, (0.9,), result_pb2.STOP_REASON_PRECISION),
        (9, (0.9,), result_pb2.STOP_REASON_TIME),
        (8, (1e-9,), result_pb2.STOP_REASON_TIME),
        (8, (), result_pb2.STOP_REASON_TIME),
    ],
)
def test_why_it_stopped_follows_from_how_far_it_came(
    done: int, targets: tuple[float, ...], reason: result_pb2.StopReason.ValueType
) -> None:
    asked = tuple(PrecisionTarget(outcome="expired", half_width=each) for each in targets)
    plan = small_blocks(Settings(paths=40 * 4, precision=asked, time_budget_s=3), block_paths=4)
    tally = replace(Found().tally, paths=done * 4, outcomes=(0, 0, 0, done * 4))
    assert result_uncertainty.stop_reason(plan, tally) == reason


def test_the_outline_counts_all_paths() -> None:
    plan = small_blocks(Settings(paths=3 * BLOCK, estimation_risk=RISK))
    outline = Outline.of(plan)
    assert (outline.paths, outline.blocks, outline.histories, outline.enough) == (3 * BLOCK + 6_000, 3, 20, None)
    assert outline.fan_blocks == 3
    assert Outline.of(replace(plan, fan_paths=0)).fan_blocks == 0


def events_of(monkeypatch: pytest.MonkeyPatch, *, threads: int, bad: int) -> list[tuple[str, int]]:
    """What is done about 11 accounts, one of them bad, in order."""
    plans = [replace(small_blocks(Settings(paths=64, seed=index)), block_paths=64) for index in range(11)]
    launch, events = Launcher.launch, list[tuple[str, int]]()

    def noted(launcher: Launcher, device: Device, blocks: range) -> Flight:
        events.append(("launch", device._plan.seed))
        return launch(launcher, device, blocks)

    def plan(index: int) -> Plan:
        events.append(("plan", index))
        if index == bad:
            raise InvalidInput([])
        return plans[index]

    monkeypatch.setattr(Launcher, "launch", noted)
    what = crew.Work(count=11, plan=plan, make=lambda plan, *_: events.append(("make", plan.seed)))
    done = list(crew.work(what, threads=threads))

    assert sorted(each.index for each in done) == list(range(11))
    assert [each.index for each in done if isinstance(each.made, InvalidInput)] == [bad]
    return events


def test_one_core_plans_a_few_accounts_then_runs_their_paths_then_looks_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "TOGETHER", 4)

    events = events_of(monkeypatch, threads=0, bad=2)

    first, second, third = [0, 1, 3, 4], [5, 6, 7, 8], [9, 10]
    planned = [[0, 1, 2, 3, 4], second, third]
    assert events == [
        (what, index)
        for all_planned, good in zip(planned, [first, second, third], strict=True)
        for what, indices in (("plan", all_planned), ("launch", good), ("make", good))
        for index in indices
    ]


def test_threads_have_each_account_once_it_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    events = events_of(monkeypatch, threads=2, bad=2)

    good = [index for index in range(11) if index != 2]
    assert [index for what, index in events if what == "launch"] == good
    for index in good:
        assert events[events.index(("plan", index)) + 1] == ("launch", index)
