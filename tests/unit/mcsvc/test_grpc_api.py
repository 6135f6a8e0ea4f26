"""The gRPC API over a real loopback port: methods, errors, health, and what stands around the calls."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from queue import Queue
from threading import Event, Semaphore
from typing import Any, NoReturn
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from mcsvc.domain.errors import StoreUnavailable
from mcsvc.domain.job import JobId, State
from mcsvc.entrypoints.grpc.server import LIVENESS, SERVICE, GrpcLimits
from mcsvc.ports.job_store import JobFilter
from montecarlo.v1 import simulation_pb2
from montecarlo.v1 import simulation_service_pb2 as pb
from montecarlo.v1 import simulation_service_pb2_grpc as pb_grpc
from tests.mcsvc_harness import WAIT_S, System, grpc_server


def asked_for(assessment: str, request_id: str = "") -> pb.TriggerSimulationRequest:
    subject = simulation_pb2.SimulationSubject(assessment_id=assessment)
    return pb.TriggerSimulationRequest(subject=subject, request_id=request_id)


def fails(call: Any, request: Any) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """The status code and the details, by their type's name."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=WAIT_S)
    status = rpc_status.from_call(caught.value)
    details: dict[str, Any] = {}
    for packed in status.details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            message = kind()
            if packed.Unpack(message):
                details[kind.__name__] = message
    details["message"] = status.message
    return caught.value.code(), details


def test_a_job_is_made_found_listed_and_cancelled() -> None:
    system = System()
    with grpc_server(system) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        made = stub.TriggerSimulation(asked_for("A-1")).simulation
        assert made.state == simulation_pb2.SIMULATION_STATE_PENDING
        assert stub.GetSimulation(pb.GetSimulationRequest(id=made.id)).simulation == made
        assert [each.id for each in stub.ListSimulations(pb.ListSimulationsRequest()).simulations] == [made.id]
        cancelled = stub.CancelSimulation(pb.CancelSimulationRequest(id=made.id)).simulation
        assert cancelled.state == simulation_pb2.SIMULATION_STATE_CANCELLED
        assert stub.CancelSimulation(pb.CancelSimulationRequest(id=made.id)).simulation == cancelled


def test_pages_hold_every_job_once() -> None:
    system = System()
    jobs = []
    for index in range(5):
        jobs.append(str(system.job(f"A-{index}").id))
        system.clock.advance(timedelta(seconds=1))
    with grpc_server(system) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        seen: list[str] = []
        request = pb.ListSimulationsRequest(page_size=2, filter="state = PENDING")
        while True:
            page = stub.ListSimulations(request)
            seen += [each.id for each in page.simulations]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert seen == jobs[::-1]
        request.filter = "state = FAILED"
        code, details = fails(stub.ListSimulations, request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details["BadRequest"].field_violations[0].field == "page_token"


def test_a_request_id_makes_one_job_and_refuses_another_body() -> None:
    with grpc_server(System()) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        first = stub.TriggerSimulation(asked_for("A-1", "r")).simulation
        assert stub.TriggerSimulation(asked_for("A-1", "r")).simulation == first
        code, details = fails(stub.TriggerSimulation, asked_for("A-2", "r"))
        assert code is grpc.StatusCode.ALREADY_EXISTS
        assert details["ErrorInfo"].domain == "montecarlo"


def test_bad_fields_are_named_in_the_details() -> None:
    with grpc_server(System()) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        code, details = fails(stub.TriggerSimulation, pb.TriggerSimulationRequest(request_id="x" * 200))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert [each.field for each in details["BadRequest"].field_violations] == ["request_id", "subject"]
        for call, request in (
            (stub.GetSimulation, pb.GetSimulationRequest(id="nonsense")),
            (stub.CancelSimulation, pb.CancelSimulationRequest()),
            (lambda r, timeout: list(stub.WatchSimulation(r, timeout=timeout)), pb.WatchSimulationRequest(id="7")),
        ):
            code, details = fails(call, request)
            [violation] = details["BadRequest"].field_violations
            assert (code, violation.field) == (grpc.StatusCode.INVALID_ARGUMENT, "id")
            assert violation.description == "give the id that was answered when the simulation was triggered, a UUID"


def test_an_unknown_id_is_not_found() -> None:
    with grpc_server(System()) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        unknown = str(uuid4())
        for call, request in (
            (stub.GetSimulation, pb.GetSimulationRequest(id=unknown)),
            (stub.CancelSimulation, pb.CancelSimulationRequest(id=unknown)),
            (lambda r, timeout: list(stub.WatchSimulation(r, timeout=timeout)), pb.WatchSimulationRequest(id=unknown)),
        ):
            code, details = fails(call, request)
            assert (code, details["ErrorInfo"].reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")


def test_a_database_that_is_away_is_unavailable_with_a_delay() -> None:
    system = System()
    with grpc_server(system) as (_, channel):
        system.store.faults.append(StoreUnavailable("The database does not answer.", retry_after=timedelta(seconds=3)))
        code, details = fails(pb_grpc.SimulationServiceStub(channel).TriggerSimulation, asked_for("A-1"))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert details["RetryInfo"].retry_delay.seconds == 3


def test_an_unforeseen_error_shows_a_reference_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    system = System()
    with grpc_server(system) as (_, channel), caplog.at_level(logging.ERROR):
        system.store.faults.append(RuntimeError("hunter2"))  # type: ignore[arg-type]  # an error nobody foresaw
        code, details = fails(pb_grpc.SimulationServiceStub(channel).TriggerSimulation, asked_for("A-1"))
    assert code is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(details)
    [record] = [each for each in caplog.records if each.message == "unforeseen_error"]
    logged = vars(record)["fields"]
    assert logged["reference"] in details["message"]
    assert "RuntimeError: hunter2" in logged["error"]
    assert "Traceback" in logged["error"]


def test_health_tells_readiness_and_liveness_apart() -> None:
    with grpc_server(System()) as (server, channel):
        health = health_pb2_grpc.HealthStub(channel)

        def ask(name: str) -> int:
            return int(health.Check(health_pb2.HealthCheckRequest(service=name)).status)

        assert [ask(name) for name in ("", SERVICE, LIVENESS)] == [1, 1, 1]
        server.set_ready(ready=False)
        assert [ask(name) for name in ("", SERVICE, LIVENESS)] == [2, 2, 1]
        with pytest.raises(grpc.RpcError) as caught:
            ask("other")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_call_is_traced_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    system = System()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with grpc_server(system) as (_, channel), caplog.at_level(logging.INFO):
        stub = pb_grpc.SimulationServiceStub(channel)
        made = stub.TriggerSimulation(asked_for("A-1"), metadata=(("traceparent", parent),)).simulation
        fails(stub.GetSimulation, pb.GetSimulationRequest(id=str(uuid4())))
    spans = {each.name.rpartition("/")[2]: each for each in system.recorder.exporter.get_finished_spans()}
    span = spans["TriggerSimulation"]
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert system.store.find(JobFilter(), limit=1)[0].trace_parent.split("-")[1] == parent.split("-")[1]
    assert made.id
    assert system.recorder.counts("mcsvc.rpc.duration") == {
        f"{SERVICE}/TriggerSimulation,OK": 1,
        f"{SERVICE}/GetSimulation,NOT_FOUND": 1,
    }
    assert [vars(each)["fields"]["code"] for each in caplog.records if each.message == "rpc"] == ["OK", "NOT_FOUND"]


def test_a_watch_shows_the_job_until_it_is_final() -> None:
    system = System()
    job = system.job()
    with grpc_server(system) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        seen = []
        for response in stub.WatchSimulation(pb.WatchSimulationRequest(id=str(job.id)), timeout=WAIT_S):
            seen.append(response.simulation.state)
            if len(seen) == 1:
                system.store.cancel(job.id)
        assert seen == [simulation_pb2.SIMULATION_STATE_PENDING, simulation_pb2.SIMULATION_STATE_CANCELLED]


def test_a_quiet_watch_beats_with_the_last_state() -> None:
    system = System()
    job = system.job()
    with grpc_server(system) as (_, channel):
        call = pb_grpc.SimulationServiceStub(channel).WatchSimulation(pb.WatchSimulationRequest(id=str(job.id)))
        first = next(call)
        system.clock.advance(timedelta(seconds=16))
        beat = next(call)
        assert (first.heartbeat, beat.heartbeat) == (False, True)
        assert beat.simulation == first.simulation
        call.cancel()


def test_watches_starve_neither_unary_calls_nor_health() -> None:
    system = System()
    job = system.job()
    limits = GrpcLimits(unary_calls=1, watch_streams=3)
    with grpc_server(system, limits) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        watch = pb.WatchSimulationRequest(id=str(job.id))
        open_calls = [stub.WatchSimulation(watch) for _ in range(3)]
        for call in open_calls:
            next(call)
        code, details = fails(lambda r, timeout: list(stub.WatchSimulation(r, timeout=timeout)), watch)
        assert (code, details["ErrorInfo"].reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
        assert details["RetryInfo"].retry_delay.seconds > 0
        stub.GetSimulation(pb.GetSimulationRequest(id=str(job.id)), timeout=WAIT_S)
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S).status == 1
        for call in open_calls:
            call.cancel()
        assert next(_until_admitted(stub, watch)).simulation.id == str(job.id)


def test_calls_that_hang_starve_neither_health_nor_the_server_and_one_too_many_is_refused_at_once() -> None:
    system, entered, release = System(), Semaphore(0), Event()

    def hang(_: JobId) -> NoReturn:
        entered.release()
        release.wait(WAIT_S)
        raise StoreUnavailable("The database does not answer.")

    system.use = replace(system.use, get=hang)  # type: ignore[arg-type]  # a database that hangs
    limits = GrpcLimits(unary_calls=2, watch_streams=1)
    with grpc_server(system, limits) as (_, channel):
        stub, asked = pb_grpc.SimulationServiceStub(channel), pb.GetSimulationRequest(id=str(uuid4()))
        hanging = [stub.GetSimulation.future(asked, timeout=WAIT_S * 2) for _ in range(2)]
        assert all(entered.acquire(timeout=WAIT_S) for _ in hanging)
        more = [stub.GetSimulation.future(asked, timeout=WAIT_S) for _ in range(limits.threads)]
        assert [call.code() for call in more] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * limits.threads
        code, details = fails(stub.ListSimulations, pb.ListSimulationsRequest())
        assert (code, details["ErrorInfo"].reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        assert details["RetryInfo"].retry_delay.seconds > 0
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(service=LIVENESS), timeout=WAIT_S).status == 1
        assert not any(call.done() for call in hanging)
        release.set()
        assert [call.code() for call in hanging] == [grpc.StatusCode.UNAVAILABLE] * 2
        assert not stub.ListSimulations(pb.ListSimulationsRequest(), timeout=WAIT_S).simulations


def test_what_waits_for_a_thread_is_bounded() -> None:
    limits, more = GrpcLimits(unary_calls=1, watch_streams=1, waiting=0), Event()

    def silent() -> Iterator[bytes]:
        more.wait(WAIT_S)
        yield from ()

    with grpc_server(System(), limits) as (_, channel):
        begin = channel.stream_unary(f"/{SERVICE}/GetSimulation")
        calls = [begin.future(silent(), timeout=WAIT_S) for _ in range(limits.threads + 1)]
        over: Queue[grpc.Future] = Queue()
        for call in calls:
            call.add_done_callback(over.put)
        refused = over.get(timeout=WAIT_S)
        more.set()
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert [call.code() for call in calls].count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 1


def test_a_cancelled_watch_frees_its_place() -> None:
    system = System()
    job = system.job()
    with grpc_server(system, GrpcLimits(watch_streams=1)) as (_, channel):
        stub = pb_grpc.SimulationServiceStub(channel)
        watch = pb.WatchSimulationRequest(id=str(job.id))
        for _ in range(3):
            call = _until_admitted(stub, watch)
            call.cancel()


def test_a_client_of_reflection_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    system, asked = System(), reflection_pb2.ServerReflectionRequest(list_services="*")
    more = Event()

    def requests() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield asked
        more.wait(WAIT_S)

    with caplog.at_level(logging.INFO), grpc_server(system) as (_, channel):
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests())
        assert next(call).HasField("list_services_response")
        call.cancel()
        deadline = time.monotonic() + WAIT_S
        while not any(record.message == "rpc" for record in caplog.records):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # it cannot be waited for
        more.set()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_shutdown_ends_the_watches_and_says_to_call_again() -> None:
    system = System()
    job = system.job()
    with grpc_server(system) as (server, channel):
        call = pb_grpc.SimulationServiceStub(channel).WatchSimulation(pb.WatchSimulationRequest(id=str(job.id)))
        next(call)
        ended = server.stop(timedelta(seconds=WAIT_S))
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in str(caught.value.details())
        assert ended.wait(WAIT_S)
    assert system.store.get(job.id).state is State.PENDING


def _until_admitted(stub: pb_grpc.SimulationServiceStub, watch: pb.WatchSimulationRequest) -> Any:
    """A watch that is let in; the place of a cancelled one is free a moment later. Its first response is read."""
    for _ in range(1000):
        call = stub.WatchSimulation(watch, timeout=WAIT_S)
        try:
            first = next(call)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017 — any other status is a failure
            continue
        return _Resumed(call, first)
    raise AssertionError("no watch was let in again")


class _Resumed:
    """A call whose first response was read already."""

    def __init__(self, call: Any, first: Any) -> None:
        self._call = call
        self._first = [first]

    def __next__(self) -> Any:
        return self._first.pop() if self._first else next(self._call)

    def cancel(self) -> None:
        self._call.cancel()
