"""The gRPC server: its threads, limits, health and reflection.

Health answers three names: "" and the full service name say whether calls should be sent here (readiness), and
"liveness" says that the process works at all.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from opentelemetry.trace import Tracer

from mcsvc.entrypoints.api.use_cases import UseCases
from mcsvc.entrypoints.grpc.around import AroundInterceptor
from mcsvc.entrypoints.grpc.bounds import BoundedCalls, BoundedStreams
from mcsvc.entrypoints.grpc.errors import errors_as_statuses
from mcsvc.entrypoints.grpc.observed import Observed
from mcsvc.entrypoints.grpc.requests import Requests
from mcsvc.entrypoints.grpc.servicer import SimulationServicer
from mcsvc.entrypoints.grpc.streams import StopSignals
from mcsvc.observability.metrics import Metrics
from montecarlo.v1 import simulation_service_pb2
from montecarlo.v1 import simulation_service_pb2_grpc as pb_grpc

_SERVICE = simulation_service_pb2.DESCRIPTOR.services_by_name["SimulationService"]
SERVICE: str = _SERVICE.full_name
LIVENESS = "liveness"
MAX_RECEIVED_BYTES = 24 * 1024 * 1024  # as of HTTP; 100,000 trades with all their fields are 9 MB
MAX_SENT_BYTES = 16 * 1024 * 1024
_REFLECTION_STREAMS = 8
_SPARE_THREADS = 8
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
    ("grpc.max_send_message_length", MAX_SENT_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcLimits:
    """How much the server takes on at once: unary calls and WatchSimulation streams are bounded apart.

    `waiting` bounds what waits for a thread. All threads are taken only by callers that send no request; beyond that
    gRPC itself refuses a call.
    """

    unary_calls: int = 64
    watch_streams: int = 256
    waiting: int = 1000

    @property
    def threads(self) -> int:
        """Enough that no kind of call can take the threads of another; the spare ones are for Health and refusals."""
        return self.unary_calls + self.watch_streams + _REFLECTION_STREAMS + _SPARE_THREADS


@final
class GrpcServer:
    """See the module."""

    def __init__(self, use: UseCases, tracer: Tracer, metrics: Metrics, limits: GrpcLimits, *, address: str) -> None:
        self._signals = StopSignals()
        self._health = health.HealthServicer()
        self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        self.set_ready(ready=False)
        interceptor = AroundInterceptor(
            (
                Observed(tracer=tracer, metrics=metrics),
                errors_as_statuses,
                BoundedCalls(limits.unary_calls),
                BoundedStreams(limits.watch_streams, metrics, method_prefix=f"/{SERVICE}/"),
                BoundedStreams(_REFLECTION_STREAMS, metrics, method_prefix="/grpc.reflection."),
            ),
            Requests(_SERVICE),
        )
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="grpc")
        self._server = grpc.server(
            self._pool,
            interceptors=[interceptor],
            options=_OPTIONS,
            maximum_concurrent_rpcs=limits.threads + limits.waiting,
        )
        pb_grpc.add_SimulationServiceServicer_to_server(
            SimulationServicer(use=use, signals=self._signals), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.port: int = self._server.add_insecure_port(address)

    def start(self) -> None:
        """Take calls."""
        self._server.start()

    def set_ready(self, *, ready: bool) -> None:
        """What Health tells of readiness."""
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE):
            self._health.set(name, status)

    def stop(self, grace: timedelta) -> threading.Event:
        """Refuse new calls, end the streams, give the others this long. The event is set when all is over."""
        self._health.enter_graceful_shutdown()
        self._signals.shut_down()
        stopped: threading.Event = self._server.stop(grace.total_seconds())
        return stopped

    def close(self) -> None:
        """Free the threads, once stopped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
