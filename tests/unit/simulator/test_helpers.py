"""Helpers give the bits of one process, stop when they should, and what is lost of them is lost aloud."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from montecarlo.engine.v1 import engine_pb2
from simulator import compiled, helper, helper_process, helpers, many, native
from simulator.helper_process import Group, HelperFailed, HelperLost
from simulator.helpers import Helpers
from simulator.many import Answered
from simulator.serve.usual import usual_input
from tests.busy import busy_one_of, wait_until_busy
from tests.kernels import KERNELS

pytestmark = pytest.mark.compiling

FOR_EVER = 10**9
WITHIN_S = 10.0


def account(number: int, paths: int = 700) -> engine_pb2.SimulateInput:
    """An account with a target of its own."""
    message = usual_input(paths)
    message.rules.profit_target.amount = f"{2_000 + 100 * number}.00"
    return message


def serialised(*inputs: engine_pb2.SimulateInput) -> list[bytes]:
    return [each.SerializeToString() for each in inputs]


LONG = serialised(*(account(number, FOR_EVER) for number in range(8)))
SHORT = serialised(*(account(number) for number in range(6)))


def answers(found: Answered) -> dict[int, engine_pb2.AccountAnswer]:
    """Without the time that each took."""
    together = [engine_pb2.SimulateManyResponse.FromString(each) for each in found.responses]
    placed = [answer for response in together for answer in response.answers]
    assert len({each.index for each in placed}) == len(placed)
    for each in placed:
        if each.HasField("result"):
            each.result.ClearField("elapsed_s")
    return {each.index: each for each in placed}


@pytest.fixture(scope="module")
def two() -> Iterator[Helpers]:
    with Helpers(2, compile_cache=str(KERNELS)) as started:
        yield started


def test_each_account_gets_the_bits_of_one_process_or_its_own_errors(two: Helpers) -> None:
    inputs = [account(number) for number in range(23)]
    inputs[5].trades[3].pnl = "a lot"
    alone = many.answered(serialised(*inputs), first=100)

    found = two.simulate(serialised(*inputs), first=100)

    assert len(found.responses) == 1
    assert list(answers(found)) == list(range(100, 123))
    assert found.accounts == 23
    assert answers(found) == answers(alone)
    assert found.path_steps == alone.path_steps > 0
    assert [each.field for each in answers(found)[105].error.fields] == ["trades[3].pnl"]


def test_one_group_of_one_account_is_enough(two: Helpers) -> None:
    assert sorted(answers(two.simulate(SHORT[:1]))) == [0]


def test_a_fan_is_made_where_it_is_asked_for(two: Helpers) -> None:
    found = two.simulate(SHORT, with_fan=True)

    assert all(each.result.HasField("equity_fan") for each in answers(found).values())
    assert answers(found) == answers(many.answered(SHORT, first=0, with_fan=True))


def test_calls_share_them_and_one_that_is_lost_fails_its_own_call_alone(two: Helpers) -> None:
    two.start()
    first = in_the_background(lambda: two.simulate(LONG[:1]))
    taken = busy_one_of(two.pids)
    second = in_the_background(lambda: two.simulate(LONG[1:2]))
    [other] = {*two.pids} - {taken}
    wait_until_busy(other)

    os.kill(taken, signal.SIGKILL)
    with pytest.raises(HelperLost, match="ended with -9"):
        first()
    assert sorted(answers(two.simulate(SHORT[:1]))) == [0]  # by one in its place
    assert psutil.Process(other).is_running()
    os.kill(other, signal.SIGKILL)
    with pytest.raises(HelperLost, match="ended with -9"):
        second()


def test_a_call_that_waits_has_its_turn_before_who_had_one_has_another(two: Helpers) -> None:
    had = list[str]()

    def wait_for_one() -> None:
        with two._borrowed():
            had.append("who waited")

    with two._borrowed(), two._borrowed():
        waits = in_the_background(wait_for_one)
        while not two._turns:
            time.sleep(0.001)  # nobody is told that somebody waits
    with two._borrowed(), two._borrowed():
        had.append("who had both")
    waits()

    assert had == ["who waited", "who had both"]


def test_a_call_may_be_stopped_while_it_waits_for_one(two: Helpers) -> None:
    two.start()
    stop = threading.Event()
    waits = in_the_background(lambda: two.simulate(LONG, stop=stop.is_set))
    for pid in two.pids:
        wait_until_busy(pid)
    looks = iter([False, False, False])

    assert answers(two.simulate(SHORT[:1], stop=lambda: next(looks, True))) == {}
    stop.set()
    waits()


def test_all_are_ready_once_they_have_been_started() -> None:
    with Helpers(2, compile_cache=str(KERNELS)) as started:
        assert started.pids == []
        started.start()
        assert len(started.pids) == 2
        assert all(each._ready for each in started._helpers)


def test_those_that_cannot_be_started_are_lost_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Helpers(2) as started, pytest.raises(HelperLost, match="ended with 1"):
        started.start()


def test_each_has_one_core_and_our_modules(two: Helpers) -> None:
    two.simulate(SHORT)
    for pid in two.pids:
        environment = psutil.Process(pid).environ()
        assert {environment[name] for name in helper_process.ONE_CORE} == {"1"}
        assert environment["JAX_PLATFORMS"] == "cpu"
        assert str(Path(many.__file__).parents[1]) in environment["PYTHONPATH"].split(os.pathsep)


def test_they_keep_kernels_where_they_are_told_to(tmp_path: Path) -> None:
    with Helpers(1, compile_cache=str(tmp_path)) as started:
        started.simulate(SHORT[:1])
    assert list(tmp_path.glob("*/kernel-*"))


def test_a_fault_of_the_engine_is_told_with_its_traceback_and_the_helpers_live_on(two: Helpers) -> None:
    two.simulate(SHORT)
    before = two.pids
    with pytest.raises(HelperFailed, match=r"Traceback(?s:.*)DecodeError"):
        two.simulate([*SHORT, b"no input"])
    assert sorted(answers(two.simulate(SHORT))) == list(range(6))
    assert two.pids == before


def test_whatever_ends_a_call_leaves_no_answer_of_it_to_the_next(two: Helpers) -> None:
    two.simulate(SHORT)
    looks = iter([1] * 6)
    with pytest.raises(ZeroDivisionError):
        two.simulate(LONG, stop=lambda: not 1 // next(looks, 0))
    assert sorted(answers(two.simulate(SHORT))) == list(range(6))


@pytest.mark.parametrize("reply", ["Reply(first=99, answered=NOTHING)", "Reply(first=0, answered=NOTHING)"])
def test_a_reply_to_something_else_or_to_less_is_none(reply: str, stuck: Callable[[str], None]) -> None:
    stuck(f"from simulator.helper_process import *; line.send(READY); line.recv(); line.send({reply}); time.sleep(100)")
    with Helpers(1) as started, pytest.raises(HelperLost, match="something else"):
        started.simulate(SHORT)


def test_they_stop_in_the_middle_of_an_account_and_go_on_with_others(two: Helpers) -> None:
    two.simulate(SHORT)
    before, stop_at = two.pids, time.monotonic() + 0.5

    found = two.simulate(LONG, stop=lambda: time.monotonic() > stop_at)

    assert time.monotonic() < stop_at + WITHIN_S  # of hours
    assert answers(found) == {}
    assert sorted(answers(two.simulate(SHORT))) == list(range(6))
    assert two.pids == before


def test_a_wish_to_stop_that_comes_too_late_changes_nothing(two: Helpers) -> None:
    two.simulate(SHORT)
    for each in two._helpers:
        each._line.send(None)
    assert sorted(answers(two.simulate(SHORT))) == list(range(6))


def test_a_helper_that_is_killed_fails_the_call_at_once_and_is_replaced(two: Helpers) -> None:
    two.simulate(SHORT)
    killed, kept = two.pids
    lost = in_the_background(lambda: two.simulate(LONG))
    wait_until_busy(killed)
    os.kill(killed, signal.SIGKILL)

    with pytest.raises(HelperLost, match="ended with -9"):
        lost()
    assert sorted(answers(two.simulate(SHORT))) == list(range(6))
    assert kept in two.pids
    assert killed not in two.pids


def test_one_that_ended_while_it_had_nothing_to_do_is_replaced_unnoticed(two: Helpers) -> None:
    two.simulate(SHORT)
    one = psutil.Process(two.pids[1])
    one.kill()
    psutil.wait_procs([one], timeout=WITHIN_S)
    assert one.pid not in two.pids
    assert sorted(answers(two.simulate(SHORT))) == list(range(6))


@pytest.mark.parametrize("busy", [True, False])
def test_they_end_with_the_process_that_started_them(busy: bool) -> None:
    code = (
        "import sys; from simulator.helpers import Helpers; from tests.unit.simulator.test_helpers import LONG, SHORT\n"
        "started = Helpers(2, compile_cache=sys.argv[1]); started.simulate(SHORT); print(*started.pids, flush=True)\n"
        f"started.simulate(LONG) if {busy} else sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(KERNELS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        below = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        if busy:
            for each in below:
                wait_until_busy(each.pid)
        parent.kill()
    _, left = psutil.wait_procs(below, timeout=WITHIN_S)
    assert len(below) == 2
    assert left == []


def test_closing_ends_them_whatever_they_do() -> None:
    started = Helpers(2, compile_cache=str(KERNELS))
    started.simulate(SHORT)
    below = [psutil.Process(pid) for pid in started.pids]
    lost = in_the_background(lambda: started.simulate(LONG))
    for each in below:
        wait_until_busy(each.pid)

    started.close()

    assert psutil.wait_procs(below, timeout=WITHIN_S)[1] == []
    with pytest.raises(HelperLost, match="ended with -9"):
        lost()
    with pytest.raises(HelperLost, match="have been closed"):
        started.simulate(SHORT)


def test_one_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Helpers(2) as started, pytest.raises(HelperLost, match="ended with 1"):
        started.simulate(SHORT)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Has helpers run this code instead; `line` is their end of the socket."""

    def run(code: str) -> None:
        program = tmp_path / "stuck"
        head = f"#!{sys.executable}\nimport sys, time\nfrom multiprocessing.connection import Connection\n"
        program.write_text(f"{head}line = Connection(int(sys.argv[4]))\n{code}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return run


def test_one_that_cannot_even_be_made_is_as_good_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nothing/here")
    with Helpers(2) as started, pytest.raises(HelperLost, match=r"cannot be started: .*/nothing/here"):
        started.simulate(SHORT)


def test_one_that_is_stuck_while_it_is_sent_much_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "STUCK_S", 1)
    large = account(0)
    large.trades[0].instrument = "x" * 1_000_000
    with Helpers(2, compile_cache=str(KERNELS)) as started:
        started.simulate(SHORT)
        os.kill(started.pids[0], signal.SIGSTOP)
        with pytest.raises(HelperLost):
            started.simulate(serialised(large, large, large))


def test_one_that_does_not_get_ready_is_given_up(stuck: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    stuck("time.sleep(100)")
    monkeypatch.setattr(helper_process, "STARTS_WITHIN_S", 0.2)
    with Helpers(2) as started, pytest.raises(HelperLost, match="ended with -9"):
        started.simulate(SHORT)


def test_a_call_may_be_stopped_while_they_start(stuck: Callable[[str], None]) -> None:
    stuck("time.sleep(100)")
    looks = iter([False, False, False, False])
    with Helpers(2) as started:
        assert started.simulate(SHORT, stop=lambda: next(looks, True)).responses == ()


def test_one_that_does_not_stop_is_given_up(
    stuck: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    busy = tmp_path / "busy"
    stuck(f"line.send(None); line.recv_bytes(); open({str(busy)!r}, 'w'); time.sleep(100)")
    monkeypatch.setattr(helper_process, "STOPS_WITHIN_S", 0.2)
    with Helpers(2) as started, pytest.raises(HelperLost, match="ended with -9"):
        started.simulate(SHORT, stop=busy.exists)


@pytest.mark.parametrize(("accounts", "count"), [(0, 2), (1, 3), (7, 2), (100, 2), (1_000, 8)])
def test_groups_hold_every_account_once_and_get_smaller(accounts: int, count: int) -> None:
    inputs = [str(number).encode() for number in range(accounts)]
    groups = helpers._Groups(inputs, 10, count)
    taken = list[Group]()
    while (group := groups.take()) is not None:
        taken.append(group)

    sizes = [len(group.inputs) for group in taken]
    assert [each for group in taken for each in group.inputs] == inputs
    assert [group.first for group in taken] == [10 + sum(sizes[:index]) for index in range(len(sizes))]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes, default=0) <= helpers.MOST_ACCOUNTS
    assert sizes[-count:] == list(repeat(1, min(count, len(sizes))))


def test_they_are_for_many_accounts_on_several_cores() -> None:
    assert [Helpers(4).are_for(accounts) for accounts in (3, 4)] == [False, True]
    assert not Helpers(1).are_for(1_000)


def test_a_helper_holds_few_kernels_waits_for_each_and_does_without_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[object] = []
    monkeypatch.setattr(compiled, "hold_at_most", said.append)
    monkeypatch.setattr(native, "wait_for_every_call", lambda: said.append("waits"))
    no_folder = tmp_path / "file"
    no_folder.write_text("", encoding="utf-8")
    ours, its = socket.socketpair()
    monkeypatch.setattr(sys, "argv", ["helper", str(its.detach()), str(no_folder)])
    with Connection(ours.detach()) as line:
        line.send(None)
        running = threading.Thread(target=helper.main)
        running.start()
        assert line.recv() == helper_process.READY
    running.join(WITHIN_S)
    assert not running.is_alive()
    assert said == [helper.KERNELS, "waits"]


def in_the_background(call: Callable[[], object]) -> Callable[[], object]:
    """What it returns, or raises, once it has ended."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except HelperLost as lost:
            outcome.append(lost)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait() -> object:
        thread.join(WITHIN_S)
        [found] = outcome
        if isinstance(found, HelperLost):
            raise found
        return found

    return wait
