"""SimulationService: each method decodes, calls its use-case and encodes. Errors rise to the interceptors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from mcsvc.entrypoints.api import responses
from mcsvc.entrypoints.api.fields import job_id
from mcsvc.entrypoints.api.filters import parse_filter
from mcsvc.entrypoints.api.paging import decode_token, page_size
from mcsvc.entrypoints.api.trigger_requests import decode_trigger
from mcsvc.entrypoints.api.use_cases import UseCases
from mcsvc.entrypoints.grpc.streams import StopSignals
from mcsvc.observability.tracing import current_traceparent
from montecarlo.v1 import simulation_service_pb2 as pb
from montecarlo.v1 import simulation_service_pb2_grpc as pb_grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationServicer(pb_grpc.SimulationServiceServicer):
    """See the module."""

    use: UseCases
    signals: StopSignals

    def TriggerSimulation(  # noqa: N802 — named by the contract
        self, request: pb.TriggerSimulationRequest, _context: grpc.ServicerContext
    ) -> pb.TriggerSimulationResponse:
        """Makes a job."""
        asked = decode_trigger(request, trace_parent=current_traceparent())
        return responses.encode_triggered(self.use.trigger(asked))

    def GetSimulation(  # noqa: N802 — named by the contract
        self, request: pb.GetSimulationRequest, _context: grpc.ServicerContext
    ) -> pb.GetSimulationResponse:
        """One job."""
        view = self.use.get(job_id(request.id))
        return responses.encode_found(view)

    def ListSimulations(  # noqa: N802 — named by the contract
        self, request: pb.ListSimulationsRequest, _context: grpc.ServicerContext
    ) -> pb.ListSimulationsResponse:
        """One page of jobs."""
        after = decode_token(request.page_token, request.filter)
        page = self.use.find(parse_filter(request.filter), limit=page_size(request.page_size), after=after)
        return responses.encode_page(page, request.filter)

    def WatchSimulation(  # noqa: N802 — named by the contract
        self, request: pb.WatchSimulationRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchSimulationResponse]:
        """The job until it is final."""
        stop = self.signals.until_gone(context)
        yield from responses.encode_watched(self.use.watch(job_id(request.id), stop))
        self.signals.raise_if_stopped(stop)

    def CancelSimulation(  # noqa: N802 — named by the contract
        self, request: pb.CancelSimulationRequest, _context: grpc.ServicerContext
    ) -> pb.CancelSimulationResponse:
        """Stops a job."""
        job = self.use.cancel(job_id(request.id))
        return responses.encode_cancelled(job)
