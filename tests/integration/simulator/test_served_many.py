"""Many accounts in one call: each gets its own bits or its own errors, and nothing of the call outlives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from montecarlo.engine.v1 import engine_pb2, engine_pb2_grpc
from montecarlo.v1 import result_pb2
from simulator.serve.usual import usual_input
from tests.integration.simulator import calls
from tests.integration.simulator.calls import bits
from tests.ray_cluster import RayCluster, ServedSimulator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

Address = Callable[..., ServedSimulator]
ACCOUNTS = 40
LONG = 8 * 16_384


def account(number: int, paths: int = 700) -> engine_pb2.SimulateInput:
    """An account with a history and a target of its own."""
    message = usual_input(paths)
    del message.trades[200 - number :]
    message.rules.profit_target.amount = f"{2_000 + 100 * number}.00"
    return message


def many(*inputs: engine_pb2.SimulateInput) -> engine_pb2.SimulateManyRequest:
    return engine_pb2.SimulateManyRequest(inputs=inputs)


@contextmanager
def open_call(served: ServedSimulator, request: engine_pb2.SimulateManyRequest) -> Iterator[Any]:
    """A running call, cancelled on leaving."""
    with grpc.insecure_channel(served.target) as channel:
        stub = engine_pb2_grpc.EngineServiceStub(channel)
        call = stub.SimulateMany(request, metadata=served.metadata, timeout=120)
        try:
            yield call
        finally:
            call.cancel()


def run(served: ServedSimulator, request: engine_pb2.SimulateManyRequest) -> dict[int, engine_pb2.AccountAnswer]:
    with open_call(served, request) as call:
        answers = answered(call)
    assert len({each.index for each in answers}) == len(answers)
    return {each.index: each for each in answers}


def answered(responses: Iterable[engine_pb2.SimulateManyResponse]) -> list[engine_pb2.AccountAnswer]:
    return [each for response in responses for each in response.answers]


def without_fan(found: result_pb2.SimulationResult) -> bytes:
    kept = result_pb2.SimulationResult()
    kept.CopyFrom(found)
    kept.ClearField("equity_fan")
    return bits(kept)


def test_each_account_gets_the_bits_of_its_own_simulation_for_any_number_of_workers(
    simulator_address: Address,
) -> None:
    request = many(*(account(number) for number in range(ACCOUNTS)))

    three = run(simulator_address(workers=3), request)
    one = run(simulator_address(workers=1), request)

    assert sorted(three) == sorted(one) == list(range(ACCOUNTS))
    assert all(bits(three[index].result) == bits(one[index].result) for index in range(ACCOUNTS))
    for index in (0, 17, ACCOUNTS - 1):
        single = calls.run(simulator_address(), engine_pb2.SimulateRequest(input=request.inputs[index]))
        assert without_fan(calls.result_of(single)) == bits(three[index].result)
        assert not three[index].result.HasField("equity_fan")


def test_bad_data_fails_its_account_alone(simulator_address: Address) -> None:
    inputs = [account(number) for number in range(12)]
    inputs[5].trades[3].pnl = "a lot"
    inputs[5].settings.horizon_days = -1

    found = run(simulator_address(), many(*inputs))

    assert {index for index, each in found.items() if each.HasField("error")} == {5}
    assert {each.field for each in found[5].error.fields} == {"trades[3].pnl", "settings.horizon_days"}


def test_a_killed_worker_costs_no_account(simulator_address: Address, ray_cluster: RayCluster) -> None:
    served = simulator_address(workers=2)
    request = many(*(account(number, LONG) for number in range(24)))
    with open_call(served, request) as call:
        first = next(call)
        ray_cluster.kill_worker(ray_cluster.worker_pids()[0])
        rest = list(call)

    found = answered([first, *rest])
    assert sorted(each.index for each in found) == list(range(24))
    undisturbed = run(served, many(account(23, LONG)))
    assert bits(next(each for each in found if each.index == 23).result) == bits(undisturbed[0].result)


def test_a_cancelled_call_frees_its_workers(simulator_address: Address, ray_cluster: RayCluster) -> None:
    served = simulator_address()
    with open_call(served, many(*(account(number, calls.FOR_EVER) for number in range(8)))) as call:
        ray_cluster.otlp.wait_for(lambda otlp: otlp.sum_of("engine.workers.busy") > 0, within_s=30)
        call.cancel()
        ray_cluster.otlp.wait_for(
            lambda otlp: (otlp.sum_of("engine.workers.busy"), otlp.sum_of("engine.simulations.running")) == (0, 0),
            within_s=2.5,
        )


def test_no_accounts_are_refused(simulator_address: Address) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        run(simulator_address(), many())
    [violation] = calls.detail(refused.value, error_details_pb2.BadRequest).field_violations
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation.field == "inputs"
