"""The Serve application: `simulator.serve.app:build` is the import path of a Serve config, its args are `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ray import serve
from ray.serve import Application, Deployment

from simulator.result import ENGINE_VERSION
from simulator.serve import replicas
from simulator.serve import settings as sizes
from simulator.serve.ingress import Ingress
from simulator.serve.settings import Settings
from simulator.serve.worker import Worker

GRPC_SERVICES: Final = ("simulator.serve.proxying.add_engine_service",)
"""What the gRPC options of a Serve config name."""


def build(args: Mapping[str, object]) -> Application:
    """The application of these settings. Raises: InvalidSettings."""
    return application(sizes.from_args(args))


def application(settings: Settings) -> Application:
    """An ingress in front of the workers. Changing only the number of workers restarts nothing."""
    sized = sizes.without_scale(settings)
    workers = _versioned(serve.deployment(**replicas.of_the_worker(settings))(Worker), sized).bind(sized)
    ingress = _versioned(serve.deployment(**replicas.of_the_ingress(settings))(Ingress), sized)
    return ingress.bind(workers, sized)


def _versioned(deployment: Deployment, sized: Settings) -> Deployment:
    """Without a version of its own, a deployment gets a random one, and each `serve.run` restarts all replicas."""
    deployment._version = f"{ENGINE_VERSION} {sized}"  # noqa: SLF001 — Serve has no public way, except in a config
    return deployment
