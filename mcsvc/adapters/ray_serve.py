"""The simulator behind Ray Serve's gRPC proxy: one streaming call for each run.

Ray Serve routes by the metadata `application`. A client's time-out does not free the replica, ending the call does:
so a run that must stop, or is out of time, cancels its call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any, Protocol, final

import grpc
from opentelemetry.trace import SpanKind, Tracer

from mcsvc.adapters.ray_serve_errors import ping_error, run_error
from mcsvc.domain.errors import EngineUnavailable, RunStopped
from mcsvc.domain.job import Progress
from mcsvc.observability.metrics import Metrics
from mcsvc.observability.tracing import current_traceparent, span
from mcsvc.ports.job_store import Snapshot
from mcsvc.ports.simulator import Watcher
from montecarlo.engine.v1 import engine_pb2, engine_pb2_grpc
from montecarlo.v1 import result_pb2

APPLICATION = "simulator"
_HEALTHZ = "/ray.serve.RayServeAPIService/Healthz"
_PING_S = 2.0
_STOP_LOOK_S = 0.2
_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),
]


class _Call(Protocol):
    """A streaming call under way, as far as it is used here."""

    def __iter__(self) -> Iterator[engine_pb2.SimulateResponse]: ...

    def cancel(self) -> bool: ...


@final
class RayServeSimulator:
    """See the module."""

    def __init__(self, address: str, tracer: Tracer, metrics: Metrics) -> None:
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._engine = engine_pb2_grpc.EngineServiceStub(self._channel)
        self._healthz: Any = self._channel.unary_unary(_HEALTHZ)
        self._tracer = tracer
        self._metrics = metrics

    def run(
        self, snapshot: Snapshot, *, resume_from: bytes, timeout: timedelta, stop: Event, watcher: Watcher
    ) -> result_pb2.SimulationResult:
        """Simulate, blocking; see the port."""
        if stop.is_set():
            raise RunStopped("The run was stopped before it reached the engine.")
        self.ping()  # tells an engine that is away from one that breaks off, maybe because of this very run
        request = engine_pb2.SimulateRequest(
            input=engine_pb2.SimulateInput.FromString(snapshot.data), resume_from=resume_from
        )
        with span(self._tracer, "simulate", kind=SpanKind.CLIENT, attributes={"input.digest": snapshot.digest}):
            call = self._engine.Simulate(request, timeout=timeout.total_seconds(), metadata=_metadata())
            with _cancelled_by(stop, call):
                result = self._follow(call, stop, watcher)
        self._metrics.path_steps.add(result.path_steps)
        return result

    def ping(self) -> None:
        """Raises EngineUnavailable unless the engine would take a call."""
        try:
            self._healthz(b"", timeout=_PING_S, metadata=_metadata())
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise ping_error(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _follow(self, call: _Call, stop: Event, watcher: Watcher) -> result_pb2.SimulationResult:
        try:
            for response in call:
                if response.HasField("result"):
                    return response.result
                _tell(response, watcher)
        except grpc.RpcError as error:
            if stop.is_set():
                raise RunStopped("The run was stopped from this side.") from error
            raise run_error(error) from error
        raise EngineUnavailable("The engine ended the stream without a result.")


def _metadata() -> tuple[tuple[str, str], ...]:
    traceparent = current_traceparent()
    return (("application", APPLICATION), *((("traceparent", traceparent),) if traceparent else ()))


def _tell(response: engine_pb2.SimulateResponse, watcher: Watcher) -> None:
    if response.HasField("progress"):
        progress = response.progress
        watcher.on_progress(Progress(paths_done=progress.paths_done, paths_total=progress.paths_total))
    elif response.HasField("checkpoint"):
        checkpoint = response.checkpoint
        done, total = checkpoint.paths_done, checkpoint.paths_total
        watcher.on_checkpoint(checkpoint.data, Progress(paths_done=done, paths_total=total))


@contextmanager
def _cancelled_by(stop: Event, call: _Call) -> Iterator[None]:
    """Within the block, setting `stop` cancels the call; leaving the block by any way ends the call too."""
    over = Event()

    def wait() -> None:
        while not over.is_set():
            if stop.wait(_STOP_LOOK_S):
                call.cancel()
                return

    Thread(target=wait, name="engine-stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        call.cancel()
