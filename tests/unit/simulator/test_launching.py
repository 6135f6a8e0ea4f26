"""Blocks that run ahead of the thread that looks at them: in their order, not too many, and each with its own error."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace

import numpy as np
import pytest

from simulator import engine, launching
from simulator.device import Device, Running, Stretch
from simulator.errors import AmountsTooLarge
from simulator.launching import Flight, Launcher
from simulator.planning import Plan
from simulator.spec import Rules, Settings
from tests.unit.simulator.samples import START, plan_of

BLOCK = 512


def small_blocks(blocks: int) -> Plan:
    return replace(plan_of(Settings(paths=blocks * BLOCK, seed=7)), block_paths=BLOCK, blocks=blocks, fan_paths=BLOCK)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_blocks_land_in_the_order_in_which_they_are_wanted(threads: int) -> None:
    plans = [small_blocks(4), small_blocks(9)]
    wanted = [(plan, range(block, block + 1)) for block in (3, 0, 2) for plan in plans]
    devices = {plan: Device(plan) for plan in plans}
    seen = []
    with Launcher(threads) as launcher:
        numbered = ((number, devices[plan], blocks) for number, (plan, blocks) in enumerate(wanted))
        for number, flight in launcher.flown(numbered):
            seen.append(number)
            plan, blocks = wanted[number]
            assert np.array_equal(flight.land().final_pnl, engine.finished(plan, blocks.start).final_pnl)
    assert seen == list(range(6))


def test_without_threads_each_block_is_looked_at_before_another_is_launched(launched: list[Stretch]) -> None:
    device = Device(small_blocks(5))
    with Launcher(0) as launcher:
        for number, flight in launcher.flown((block, device, range(block, block + 1)) for block in range(5)):
            assert len(launched) == number + 1
            assert all(each.done() for each in flight.running)


def test_a_process_with_one_core_has_paths_end_before_it_goes_on() -> None:
    code = (
        "from simulator import native; from simulator.device import Device\n"
        "from tests.unit.simulator.test_launching import small_blocks\n"
        "native.wait_for_every_call(); device = Device(small_blocks(4)); told = device.stretches(range(1, 4))\n"
        "print(all(device.run(each).ended.outcome.is_ready() for each in told * 100))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout == "True\n"


def test_a_gpu_is_told_by_one_thread(pretend_a_gpu: Callable[[], None]) -> None:
    pretend_a_gpu()
    with Launcher(8) as launcher:
        assert launcher.threads == 1


@pytest.mark.parametrize("wanted", [Flight.tally, Flight.land])
def test_a_flight_that_fails_launches_no_more(
    monkeypatch: pytest.MonkeyPatch, wanted: Callable[[Flight], object]
) -> None:
    def fail(*_: object) -> None:
        raise AmountsTooLarge

    monkeypatch.setattr(Device, "brought", fail)
    with Launcher(1) as launcher:
        flight = launcher.launch(Device(small_blocks(600)), range(1, 600))
        with pytest.raises(AmountsTooLarge):
            wanted(flight)
        assert sum(each.cancelled() for each in flight.running) > 500


def test_several_blocks_land_as_one() -> None:
    plan = small_blocks(5)
    with Launcher(2) as launcher:
        whole = launcher.launch(Device(plan), range(1, 5)).land()
    alone = [engine.finished(plan, block) for block in range(1, 5)]
    assert np.array_equal(whole.final_pnl, np.concatenate([each.final_pnl for each in alone]))


def test_only_so_many_are_launched_ahead() -> None:
    device, asked = Device(small_blocks(60)), 0

    def wanted() -> Iterator[tuple[int, Device, range]]:
        nonlocal asked
        for asked in range(1, 61):
            yield asked, device, range(asked - 1, asked)

    with Launcher(2) as launcher:
        for looked_at, flight in launcher.flown(wanted()):
            assert asked == min(60, looked_at + 2 * launching.AHEAD)
            flight.land()


def test_what_is_impossible_fails_its_own_flight_alone() -> None:
    free = Rules(starting_balance_minor=START)
    bad = plan_of(Settings(paths=10, horizon_days=10), days=((2**27,),), rules=free)
    good = small_blocks(1)
    with Launcher(1) as launcher:
        flights = [launcher.launch(Device(plan), range(1)) for plan in (good, bad, good)]
        assert flights[0].land().outcome.size == BLOCK
        with pytest.raises(AmountsTooLarge):
            flights[1].land()
        assert flights[2].land().outcome.size == BLOCK


def test_what_waits_when_the_launcher_is_closed_is_never_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    run, launched = Device.run, []

    def slow(device: Device, stretch: Stretch) -> Running:
        launched.append(stretch)
        begun.release()
        go_on.wait(10)
        return run(device, stretch)

    monkeypatch.setattr(Device, "run", slow)
    with Launcher(2) as launcher:
        flight = launcher.launch(Device(small_blocks(20)), range(1, 20))
        assert begun.acquire(timeout=10)
        assert begun.acquire(timeout=10)
        threading.Timer(0.2, go_on.set).start()
    assert len(launched) == 2
    assert sum(each.cancelled() for each in flight.running) == 17


def test_a_thread_that_waits_for_the_device_launches_nothing_once_the_launcher_is_closed(
    monkeypatch: pytest.MonkeyPatch, launched: list[Stretch]
) -> None:
    waits, go_on = threading.Event(), threading.Event()

    def wait(_: Running) -> None:
        waits.set()
        go_on.wait(10)

    monkeypatch.setattr(Running, "wait", wait)
    with Launcher(1) as launcher:
        flight = launcher.launch(Device(small_blocks(20)), range(1, 20))
        assert waits.wait(10)
        threading.Timer(0.2, go_on.set).start()
    assert len(launched) == launching.TOLD
    with pytest.raises(CancelledError):
        flight.land()


def test_who_wants_no_more_has_no_more_launched(monkeypatch: pytest.MonkeyPatch, launched: list[Stretch]) -> None:
    monkeypatch.setattr(launching, "AHEAD", 1_000)
    device = Device(small_blocks(1_200))
    with Launcher(1) as launcher:
        flights = launcher.flown((block, device, range(block, block + 1)) for block in range(1_200))
        next(flights)[1].land()
        flights.close()
        held = len(launched)
        again = launcher.launch(device, range(1))
        assert again.land().outcome.size == BLOCK
    assert len(launched) - held <= launching.TOLD + 1 < 1_000


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_nothing_is_launched_once_nobody_wants_it(threads: int, launched: list[Stretch]) -> None:
    device, stop = Device(small_blocks(600)), threading.Event()
    with Launcher(threads, stop=stop.is_set) as launcher:
        flights = launcher.flown((block, device, range(block, block + 1)) for block in range(1, 600))
        next(flights)[1].land()
        stop.set()
        held = len(launched)
        with pytest.raises(CancelledError):
            _ = [flight.land() for _, flight in flights]
    assert len(launched) - held <= threads


def test_a_thread_tells_the_device_of_few_blocks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, told = small_blocks(20), 0
    run, wait = Device.run, Running.wait

    def counted(device: Device, stretch: Stretch) -> Running:
        nonlocal told
        told += 1
        assert told <= launching.TOLD
        return run(device, stretch)

    def waited(running: Running) -> None:
        nonlocal told
        wait(running)
        told -= 1

    monkeypatch.setattr(Device, "run", counted)
    monkeypatch.setattr(Running, "wait", waited)
    with Launcher(1) as launcher:
        assert launcher.launch(Device(plan), range(1, 20)).land().outcome.size == 19 * BLOCK
