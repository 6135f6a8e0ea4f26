"""What the use-cases return, encoded as the responses of the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcsvc.app.get_simulation import JobView
from mcsvc.app.list_simulations import JobPage
from mcsvc.domain.job import Job
from mcsvc.entrypoints.api.paging import encode_token
from mcsvc.entrypoints.api.simulations import encode_simulation
from montecarlo.v1 import simulation_service_pb2 as pb


def encode_triggered(job: Job) -> pb.TriggerSimulationResponse:
    """The job made, or the one made before by the same request."""
    return pb.TriggerSimulationResponse(simulation=encode_simulation(job))


def encode_found(view: JobView) -> pb.GetSimulationResponse:
    """One job with its result."""
    return pb.GetSimulationResponse(simulation=encode_simulation(view.job, view.result))


def encode_page(page: JobPage, text_filter: str) -> pb.ListSimulationsResponse:
    """One page without results; the token of the next one is bound to the filter."""
    return pb.ListSimulationsResponse(
        simulations=[encode_simulation(job) for job in page.jobs], next_page_token=encode_token(page.next, text_filter)
    )


def encode_watched(views: Iterable[JobView | None]) -> Iterator[pb.WatchSimulationResponse]:
    """The job at each change; a None repeats the last state as a heartbeat."""
    response = pb.WatchSimulationResponse()
    for view in views:
        if view is None:
            response = pb.WatchSimulationResponse(simulation=response.simulation, heartbeat=True)
        else:
            response = pb.WatchSimulationResponse(simulation=encode_simulation(view.job, view.result))
        yield response


def encode_cancelled(job: Job) -> pb.CancelSimulationResponse:
    """The job cancelled."""
    return pb.CancelSimulationResponse(simulation=encode_simulation(job))
