"""How the served engine treats its callers: says no with reasons, stops when told, shows itself in their traces."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import grpc
import pytest
from google.rpc import error_details_pb2

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2
from tests.integration.simulator import calls
from tests.integration.simulator.calls import FOR_EVER, TWENTY_BLOCKS, a_request
from tests.ray_cluster import APPLICATION, MAX_SIMULATIONS, RayCluster, ServedSimulator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

Address = Callable[..., ServedSimulator]

CALLERS_TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"
EXPORT_S = 0.5
"""What metrics and spans may take to arrive, on top of what is claimed."""


def wait_until_idle(cluster: RayCluster, *, within_s: float) -> None:
    cluster.otlp.wait_for(
        lambda otlp: (otlp.sum_of("engine.workers.busy"), otlp.sum_of("engine.simulations.running")) == (0, 0),
        within_s=within_s,
    )


def wait_until_busy(cluster: RayCluster) -> None:
    cluster.otlp.wait_for(lambda otlp: otlp.sum_of("engine.workers.busy") > 0, within_s=30)


def test_a_cancelled_call_frees_its_workers_within_two_seconds(
    simulator_address: Address, ray_cluster: RayCluster
) -> None:
    served = simulator_address()
    with calls.open_call(served, a_request(FOR_EVER)) as call:
        calls.wait_until_paths_are_done(call)
        wait_until_busy(ray_cluster)
        call.cancel()
        wait_until_idle(ray_cluster, within_s=2 + EXPORT_S)

    with calls.open_call(served, a_request(FOR_EVER), timeout_s=10) as following:
        calls.wait_until_paths_are_done(following)


@pytest.mark.slow
def test_a_call_cancelled_while_it_seeks_rare_breaches_frees_its_workers_as_soon(
    simulator_address: Address, ray_cluster: RayCluster
) -> None:
    """A search of several seconds, in one unit."""
    served = simulator_address()
    calls.run(served, never_breached(trades_per_day=20))  # else its kernel may be compiled while it is cancelled
    with calls.open_call(served, never_breached(trades_per_day=500)) as call:
        next(each for each in call if each.progress.paths_done == each.progress.paths_total > 0)
        call.cancel()
        wait_until_idle(ray_cluster, within_s=2 + EXPORT_S)


def never_breached(*, trades_per_day: int) -> engine_pb2.SimulateRequest:
    request = a_request(60_000)
    request.input.settings.trades_per_day = trades_per_day
    request.input.settings.time_budget_s = 600  # else a small one goes whole to a worker
    request.input.rules.max_drawdown.kind = rules_pb2.DRAWDOWN_KIND_STATIC
    request.input.rules.max_drawdown.amount = "40000.00"
    for rule in ("daily_loss", "profit_target", "minimum_days"):
        request.input.rules.ClearField(rule)
    return request


def test_calls_that_end_just_as_a_message_is_sent_leave_nothing_running(
    simulator_address: Address, ray_cluster: RayCluster
) -> None:
    served = simulator_address()
    for messages in (1, 2, 3) * 8:
        with calls.open_call(served, a_request(FOR_EVER)) as call:
            for _ in range(messages):
                next(call)

    wait_until_idle(ray_cluster, within_s=2 + EXPORT_S)


def test_a_call_whose_deadline_passes_frees_its_workers(simulator_address: Address, ray_cluster: RayCluster) -> None:
    with calls.open_call(simulator_address(), a_request(FOR_EVER), timeout_s=2) as call:
        with pytest.raises(grpc.RpcError) as ended:
            calls.listen(call)
        wait_until_idle(ray_cluster, within_s=2 + EXPORT_S)

    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_bad_input_is_refused_naming_each_bad_field_and_without_a_stack_trace(simulator_address: Address) -> None:
    request = a_request(1_000)
    request.input.trades[3].pnl = "a lot"
    request.input.settings.horizon_days = -1

    refused = calls.refusal(simulator_address(), request)

    violations = calls.detail(refused, error_details_pb2.BadRequest).field_violations
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {each.field for each in violations} == {"trades[3].pnl", "settings.horizon_days"}
    assert calls.detail(refused, error_details_pb2.ErrorInfo).reason == "INVALID_INPUT"
    assert "trades[3].pnl" in refused.details()
    assert "Traceback" not in refused.details()
    assert 'File "' not in refused.details()


def test_thousands_of_bad_fields_still_fit_into_the_status(simulator_address: Address) -> None:
    request = a_request(1_000)
    for trade in request.input.trades:
        trade.pnl = "x" * 1_000

    refused = calls.refusal(simulator_address(), request)

    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(calls.detail(refused, error_details_pb2.BadRequest).field_violations) == 16
    assert calls.detail(refused, error_details_pb2.ErrorInfo).metadata["not_shown"] == "224"


@pytest.mark.parametrize("resume_from", [b"no checkpoint", None])
def test_what_is_not_this_inputs_checkpoint_is_refused(simulator_address: Address, resume_from: bytes | None) -> None:
    served = simulator_address()
    if resume_from is None:
        with calls.open_call(served, a_request(FOR_EVER)) as call:
            resume_from = next(each.checkpoint.data for each in call if each.HasField("checkpoint"))

    refused = calls.refusal(served, a_request(1_000, resume_from=resume_from))

    [violation] = calls.detail(refused, error_details_pb2.BadRequest).field_violations
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation.field == "resume_from"


def test_one_simulation_too_many_is_refused_with_the_time_to_wait(
    simulator_address: Address, ray_cluster: RayCluster
) -> None:
    served = simulator_address()
    wait_until_idle(ray_cluster, within_s=10)
    with ExitStack() as running:
        for _ in range(MAX_SIMULATIONS):
            next(running.enter_context(calls.open_call(served, a_request(FOR_EVER))))
        refused = calls.refusal(served, a_request(1_000))

    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert calls.detail(refused, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0


def test_ingress_and_workers_continue_the_callers_trace(simulator_address: Address, ray_cluster: RayCluster) -> None:
    traceparent = ("traceparent", f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01")
    heard = calls.run(simulator_address(), a_request(TWENTY_BLOCKS), metadata=(traceparent,))
    ray_cluster.otlp.wait_for(
        lambda otlp: (
            any(span.trace_id == CALLERS_TRACE and span.name == "engine.simulate" for span in otlp.spans)
            and sum(
                span.attributes["paths"]
                for span in otlp.spans
                if span.trace_id == CALLERS_TRACE and span.name == "engine.run_chunk"
            )
            == calls.result_of(heard).paths
        ),
        within_s=10,
    )

    ours = [span for span in ray_cluster.otlp.spans if span.trace_id == CALLERS_TRACE]
    [ingress] = [span for span in ours if span.name == "engine.simulate"]
    chunks = [span for span in ours if span.name == "engine.run_chunk"]
    assert ingress.parent_id == CALLERS_SPAN
    assert {chunk.parent_id for chunk in chunks} == {ingress.span_id}
    assert {chunk.instance for chunk in chunks}.isdisjoint({ingress.instance})
    assert all({"section", "first", "count", "paths", "worker"} <= chunk.attributes.keys() for chunk in chunks)


def test_the_engines_counters_grow_with_the_work(simulator_address: Address, ray_cluster: RayCluster) -> None:
    before = ray_cluster.otlp.sum_of("engine.path_steps")

    steps = calls.result_of(calls.run(simulator_address(), a_request(TWENTY_BLOCKS))).path_steps

    ray_cluster.otlp.wait_for(lambda otlp: otlp.sum_of("engine.path_steps") >= before + steps, within_s=10)
    assert ray_cluster.otlp.sum_of("engine.chunks") > 0


def test_the_proxy_says_that_it_is_healthy_and_what_it_serves(simulator_address: Address) -> None:
    with grpc.insecure_channel(simulator_address().target) as channel:
        healthy = channel.unary_unary("/ray.serve.RayServeAPIService/Healthz")(b"", timeout=10)
        served = channel.unary_unary("/ray.serve.RayServeAPIService/ListApplications")(b"", timeout=10)

    assert b"success" in healthy
    assert APPLICATION.encode() in served


def test_a_call_without_the_applications_name_is_served_while_there_is_only_one(simulator_address: Address) -> None:
    nameless = ServedSimulator(target=simulator_address().target, metadata=())

    heard = calls.run(nameless, engine_pb2.SimulateRequest(input=a_request(1_000).input))

    assert calls.result_of(heard).paths == 1_000
