"""An EngineService over real gRPC that follows scripts: what the service sees of the simulator, without Ray."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from mcsvc.adapters.memory.simulator import Checkpoint, Do, Hang, Step, scripted_result
from mcsvc.domain.errors import EngineRejected, EngineUnavailable
from mcsvc.ports.job_store import Snapshot
from montecarlo.engine.v1 import engine_pb2 as pb
from montecarlo.engine.v1 import engine_pb2_grpc as pb_grpc


@dataclass
class ScriptedEngine(pb_grpc.EngineServiceServicer):
    """Run n follows `scripts[n]`; a run without a script succeeds at once. `ended` counts calls that were cut off."""

    scripts: list[list[Step]] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    requests: list[pb.SimulateRequest] = field(default_factory=list)
    cut_off: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def Simulate(self, request: pb.SimulateRequest, context: grpc.ServicerContext) -> Iterator[pb.SimulateResponse]:  # noqa: N802 — named by the contract
        """Follow the script, then answer."""
        self.metadata.append(dict(context.invocation_metadata()))
        self.requests.append(request)
        gone, answered = threading.Event(), threading.Event()

        def over() -> None:
            gone.set()
            if not answered.is_set():
                self.cut_off.release()

        context.add_callback(over)
        paths = request.input.settings.paths or 1000
        try:
            for step in self.scripts.pop(0) if self.scripts else ():
                yield from self._follow(step, paths, gone, context)
        except Exception:  # an abort is an answer too
            answered.set()
            raise
        answered.set()
        yield pb.SimulateResponse(result=scripted_result(Snapshot(data=b"", digest="d"), paths))

    def _follow(
        self, step: Step, paths: int, gone: threading.Event, context: grpc.ServicerContext
    ) -> Iterator[pb.SimulateResponse]:
        match step:
            case int():
                yield pb.SimulateResponse(progress=pb.SimulateProgress(paths_done=step, paths_total=paths))
            case Checkpoint():
                kept = pb.SimulateCheckpoint(data=step.data, paths_done=step.paths_done, paths_total=paths)
                yield pb.SimulateResponse(checkpoint=kept)
            case Hang():
                step.begun.set()
                gone.wait(30)
            case Do():
                try:
                    step.action()
                except EngineRejected as error:
                    context.abort_with_status(rejection(error))
                except EngineUnavailable as error:
                    context.abort_with_status(busy(error.retry_after))


def rejection(error: EngineRejected) -> Any:
    """INVALID_ARGUMENT with BadRequest details, and how many fields these leave out."""
    fields = [
        error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description) for v in error.violations
    ]
    return _status(
        code_pb2.INVALID_ARGUMENT,
        "bad input",
        error_details_pb2.ErrorInfo(metadata={"not_shown": str(error.more)} if error.more else {}),
        error_details_pb2.BadRequest(field_violations=fields),
    )


def busy(retry_after: timedelta | None) -> Any:
    """RESOURCE_EXHAUSTED with RetryInfo."""
    delay = duration_pb2.Duration()
    delay.FromTimedelta(retry_after or timedelta(seconds=1))
    return _status(code_pb2.RESOURCE_EXHAUSTED, "busy", error_details_pb2.RetryInfo(retry_delay=delay))


def _status(code: int, message: str, *details: Any) -> Any:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return rpc_status.to_status(status)


@contextmanager
def serving(engine: ScriptedEngine, port: int = 0) -> Iterator[int]:
    """The engine on a loopback port."""
    pool = ThreadPoolExecutor(8)
    server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
    pb_grpc.add_EngineServiceServicer_to_server(engine, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield bound
    server.stop(0).wait(10)
    pool.shutdown()
