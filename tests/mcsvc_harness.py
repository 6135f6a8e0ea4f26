"""The service's entrypoints over its fakes, on real loopback ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import grpc
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from mcsvc.adapters.memory.cache import MemoryCache
from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.app.cancel_simulation import CancelSimulation
from mcsvc.app.get_simulation import GetSimulation
from mcsvc.app.list_simulations import ListSimulations
from mcsvc.app.trigger_simulation import TriggerRequest, TriggerSimulation
from mcsvc.app.watch_simulation import WatchSimulation
from mcsvc.domain.job import Job, JobId, Trigger
from mcsvc.domain.subject import Settings, Subject, SubjectKind
from mcsvc.entrypoints.api.use_cases import UseCases
from mcsvc.entrypoints.grpc.server import GrpcLimits, GrpcServer
from mcsvc.observability.metrics import Metrics

WAIT_S = 10.0


@dataclass
class Recorder:
    """Telemetry kept in memory."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer: Tracer = tracers.get_tracer("test")
        self.metrics = Metrics.of(MeterProvider([self.reader], shutdown_on_exit=False).get_meter("test"))

    def counts(self, name: str) -> dict[str, int]:
        """Values of a counter or counts of a histogram, by their attributes joined."""
        data = self.reader.get_metrics_data()
        found: dict[str, int] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        for point in metric.data.data_points:
                            label = ",".join(str(value) for _, value in sorted((point.attributes or {}).items()))
                            found[label] = getattr(point, "count", getattr(point, "value", 0))
        return found


class System:
    """The use-cases over fakes."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryJobStore(self.clock)
        self.cache = MemoryCache(self.clock)
        self.recorder = Recorder()
        self.trigger = TriggerSimulation(store=self.store, clock=self.clock, new_id=lambda: JobId(uuid4()))
        self.use = UseCases(
            trigger=self.trigger,
            get=GetSimulation(store=self.store, cache=self.cache),
            find=ListSimulations(store=self.store),
            watch=WatchSimulation(
                store=self.store,
                clock=self.clock,
                poll=timedelta(milliseconds=10),
                heartbeat=timedelta(seconds=15),
            ),
            cancel=CancelSimulation(store=self.store),
        )

    def job(self, ref: str = "A-1", kind: SubjectKind = SubjectKind.ASSESSMENT, trigger: Trigger = Trigger.API) -> Job:
        """A new job."""
        subject = Subject(kind=kind, ref=ref)
        return self.trigger(TriggerRequest(subject=subject, settings=Settings(), trigger=trigger))


@contextmanager
def grpc_server(system: System, limits: GrpcLimits | None = None) -> Iterator[tuple[GrpcServer, grpc.Channel]]:
    """The gRPC server on a loopback port, and a channel to it."""
    recorder = system.recorder
    server = GrpcServer(
        system.use, recorder.tracer, recorder.metrics, limits or GrpcLimits(watch_streams=4), address="127.0.0.1:0"
    )
    server.start()
    server.set_ready(ready=True)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield server, channel
    server.stop(timedelta(0)).wait(WAIT_S)
    server.close()
